import pytest

from tfplm.data.configuration import CleaningConfig, TextSource
from tfplm.data.restoration import bare_sentence, read_restoration


@pytest.mark.parametrize(
    ("sentence", "bare"),
    [
        ("“It isn't 3.30,” she said – really?", "it isn't 3.30 she said really"),
        ("The well-known Senate—and the House—met (No. 7)...", "the well-known senate and the house met no 7"),
        ("他说：“好，走吧！”", "他说好走吧"),
        ("我用Python，很好。", "我用python很好"),
        ("…!", ""),
    ],
)
def test_capitals_and_punctuation_go_but_marks_inside_words_stay(sentence, bare):
    assert bare_sentence(sentence) == bare


def test_baring_twice_changes_nothing():
    bare = bare_sentence("Mr. Adams' U.S. visit: 1,000 people – “wow”!")
    assert bare_sentence(bare) == bare


def test_every_sentence_is_a_pair_of_its_document(tmp_path):
    (tmp_path / "a.txt").write_text("First one. Second,\nwrapped one!\n\nThird.", encoding="utf-8")
    (tmp_path / "b.txt").write_text("第一句，\n还是第一句。第二句！", encoding="utf-8")
    pairs = list(read_restoration(TextSource(paths=[str(tmp_path / "*.txt")]), CleaningConfig()))
    assert [pair[:2] for pair in pairs] == [
        ("first one", "First one."),
        ("second wrapped one", "Second, wrapped one!"),
        ("third", "Third."),
        ("第一句还是第一句", "第一句，还是第一句。"),
        ("第二句", "第二句！"),
    ]
    assert len({pair.group for pair in pairs[:3]}) == len({pair.group for pair in pairs[3:]}) == 1
    assert pairs[0].group != pairs[3].group
    assert pairs[0].origin == str(tmp_path / "a.txt")
