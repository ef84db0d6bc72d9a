import pytest

from tests.tfplm.answering.question_models import PASSAGES, QUESTIONS, TOKENIZERS, build_answerer
from tfplm.answering.answerer import answer_texts
from tfplm.answering.best_answers import best_answers

ANSWERABLE = (0, 1, 2, 5)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_the_first_is_the_answer_and_none_comes_twice(tokenizer):
    answerer = build_answerer(tokenizer)
    first = answer_texts(answerer, {"question": QUESTIONS, "passage": PASSAGES})
    for number, answers in enumerate(best_answers(answerer, QUESTIONS, PASSAGES, 6)):
        if number not in ANSWERABLE:
            assert answers == []
            continue
        best = answers[0]
        assert (best["answer"], best["start"], best["end"]) == (
            first["answer"][number].decode(), first["start"][number], first["end"][number],
        )  # fmt: skip
        assert best["score"] == pytest.approx(first["score"][number], abs=1e-5)
        assert len(answers) <= 6
        assert len({(answer["start"], answer["end"]) for answer in answers}) == len(answers)
        assert sorted((answer["score"] for answer in answers), reverse=True) == [a["score"] for a in answers]
        assert sum(answer["probability"] for answer in answers) == pytest.approx(1.0)
        assert all(PASSAGES[number][a["start"] : a["end"]] == a["answer"] for a in answers)


def test_all_spans_of_a_short_passage_come_and_no_more():
    (answers,) = best_answers(build_answerer(max_answer_length=2), ["who ?"], ["anna bob came"], 50)
    assert {answer["answer"] for answer in answers} == {"anna", "bob", "came", "anna bob", "bob came"}


def test_no_answer_is_one_of_them_where_it_may_be_given():
    answerer = build_answerer(no_answer_threshold=0.0)
    found = answer_texts(answerer, {"question": QUESTIONS, "passage": PASSAGES})
    for number, answers in enumerate(best_answers(answerer, QUESTIONS, PASSAGES, 1000)):
        (none,) = [answer for answer in answers if answer["answer"] == ""]
        assert (none["start"], none["end"]) == (-1, -1)
        if number in ANSWERABLE:
            expected = found["score"][number] + found["no_answer_score"][number]
            assert none["score"] == pytest.approx(expected, abs=1e-5)


def test_no_questions_have_no_answers():
    assert list(best_answers(build_answerer(), [], [])) == []
