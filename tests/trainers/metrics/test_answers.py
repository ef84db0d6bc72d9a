import pytest

from trainers.metrics.answers import answer_scores, choose_rule


@pytest.mark.parametrize(
    ("answer", "references", "exact_match", "f1"),
    [
        ("The Red House!", ["red house"], 1, 1),  # case, article, punctuation
        ("a red brick house", ["red house"], 0, 0.8),  # 2 of 3 words given, 2 of 2 right ones
        ("house red", ["red house"], 0, 1),  # the order of the words has no say
        ("red red house", ["red house"], 0, 0.8),  # a word counts as often as it is in both
        ("blue", ["red house", "Blue sky", "sky"], 0, 2 / 3),  # the best reference
        ("1,000", ["1000"], 1, 1),
        ("U.S.", ["us"], 1, 1),
        ("", ["red house"], 0, 0),
        ("", [], 1, 1),
        ("red", [], 0, 0),
        ("an answer", ["the", "answer"], 1, 1),  # a reference without a word is none
    ],
)
def test_words_by_the_rule_of_squad(answer, references, exact_match, f1):
    assert answer_scores(answer, references, "squad") == (exact_match, pytest.approx(f1))


@pytest.mark.parametrize(
    ("answer", "references", "exact_match", "f1"),
    [
        ("《红楼梦》。", ["红楼梦"], 1, 1),  # punctuation
        ("红楼梦中人", ["红楼梦"], 0, 0.75),  # 3 of 5 characters given, 3 of 3 right ones
        ("红砖楼", ["红楼"], 0, 0.4),  # the common run is one character of three and of two
        ("楼红", ["红楼"], 0, 0.5),  # the order has a say
        ("于1998年5月", ["1998年"], 0, 2 * 2 / (5 + 2)),  # 于 1998 年 5 月: a number is one piece
        ("IBM公司", ["ibm公司"], 1, 1),
        ("the red house", ["red house"], 0, 0.8),  # words of other scripts, articles among them
        ("人", ["中国", "中国人", "国人"], 0, 2 / 3),
        ("", ["人"], 0, 0),
        ("", [], 1, 1),
    ],
)
def test_characters_by_the_rule_of_cmrc(answer, references, exact_match, f1):
    assert answer_scores(answer, references, "cmrc") == (exact_match, pytest.approx(f1))


@pytest.mark.parametrize(
    ("references", "rule"),
    [
        ([["Denver Broncos"], ["1998"]], "squad"),
        ([["1998年"], ["北京"], [], ["IBM公司"]], "cmrc"),
        ([["富士山"], ["ひらがな"]], "cmrc"),
        ([[], []], "squad"),
        ([], "squad"),
    ],
)
def test_the_rule_is_that_of_the_script_of_the_references(references, rule):
    assert choose_rule(references) == rule
