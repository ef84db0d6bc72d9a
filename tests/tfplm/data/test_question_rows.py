import numpy as np
import pytest

from tests.tfplm.data.test_question_windows import TOKENIZERS, WORDPIECE
from tfplm.data.question_rows import question_rows
from tfplm.data.question_set import Answer, Question
from tfplm.data.question_windows import WindowSettings

SETTINGS = WindowSettings(sequence_length=24, stride=5, max_question_length=6)
PASSAGE = "then anna came .  长江 came ; then 河流 anna what 江, who came ? then what who anna came 河."


def question(text, start=None, passage=PASSAGE, number=0):
    if text is None:
        return Question(str(number), "who ?", passage, (), "a.json", "g")
    start = passage.index(text) if start is None else start
    return Question(str(number), "who ?", passage, (Answer(text, start, start + len(text)),), "a.json", "g")


def rows_of(questions, tokenizer=WORDPIECE, settings=SETTINGS, longest=30, share=1.0):
    return question_rows(tokenizer, questions, settings, longest, share)


def learned_text(tokenizer, rows, row):
    return tokenizer.decode(rows.token_ids[row, rows.starts[row] : rows.ends[row] + 1])


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
@pytest.mark.parametrize("text", ["then", "长江", "江, who", "河流 anna", "came 河"])
def test_the_columns_are_those_of_the_answer(tokenizer, text):
    rows = rows_of([question(text)], tokenizer, SETTINGS._replace(sequence_length=48))
    holds = np.flatnonzero(rows.ends)
    assert len(holds)
    for row in holds:
        expected = tokenizer.decode(tokenizer.encode([text])[0])
        assert learned_text(tokenizer, rows, row) == expected


def test_of_equal_words_the_one_at_the_offset_is_learned():
    place = PASSAGE.rindex("anna")
    rows = rows_of([question("anna", place)], settings=SETTINGS._replace(sequence_length=64))
    assert len(rows.starts) == 1
    before = len(WORDPIECE.encode([PASSAGE[:place]])[0])
    assert rows.starts[0] == 1 + len(WORDPIECE.encode(["who ?"])[0]) + 1 + before


def test_windows_without_the_whole_answer_point_at_the_first_token():
    rows = rows_of([question("长江")])
    held = rows.ends > 0
    assert 0 < held.sum() < len(held)
    np.testing.assert_array_equal(rows.starts[~held], 0)
    whole = WORDPIECE.encode(["长江"])[0]
    for row in np.flatnonzero(~held):
        ids = list(rows.token_ids[row])
        assert not any(ids[column : column + 2] == list(whole) for column in range(23))
    assert rows.figures == {
        "questions": 1, "windows": len(held), "windows_without_answer": int((~held).sum()), "windows_left_out": 0,
        "questions_not_learned": 0, "answers_cut": 0, "answers_too_long": 0,
    }  # fmt: skip


def test_a_part_of_a_word_is_learned_as_the_word():
    rows = rows_of([question("nn")], settings=SETTINGS._replace(sequence_length=64))
    assert learned_text(WORDPIECE, rows, 0) == "anna"


def test_answers_that_are_cut_or_too_long_are_counted():
    rows = rows_of([question(PASSAGE), question("anna came"), question(None)], longest=1)
    assert rows.figures["answers_cut"] == 1
    assert rows.figures["answers_too_long"] == 1
    assert rows.figures["questions"] == 3


def test_an_answer_that_no_token_stands_for_is_cut():
    assert rows_of([question("  ")]).figures["answers_cut"] == 1


def test_a_question_whose_answer_the_passage_does_not_hold_is_not_learned():
    elsewhere = Question("1", "who ?", PASSAGE, (Answer("bob", None, None),), "a.json", "g")
    rows = rows_of([elsewhere, question("anna")])
    assert rows.figures["questions_not_learned"] == 1
    np.testing.assert_array_equal(rows.token_ids, rows_of([question("anna")]).token_ids)
    assert rows_of([elsewhere]).token_ids.shape == (0, 24)


def test_a_share_of_the_windows_without_an_answer_is_kept_and_always_the_same():
    questions = [question("长江", number=number) for number in range(40)] + [question(None)]
    every, half, again, none = (rows_of(questions, share=share) for share in (1.0, 0.5, 0.5, 0.0))
    for rows in (half, none):
        assert (rows.ends > 0).sum() == (every.ends > 0).sum()
    of_impossible = len(rows_of([question(None)]).ends)
    assert none.figures["windows_without_answer"] == of_impossible
    share = (half.figures["windows_without_answer"] - of_impossible) / (
        every.figures["windows_without_answer"] - of_impossible
    )
    assert 0.35 < share < 0.65
    np.testing.assert_array_equal(half.token_ids, again.token_ids)


def test_many_questions_are_the_rows_of_each():
    texts = ["长江", "anna", None, "who came"]
    together = rows_of([question(texts[number % 4], number=number) for number in range(600)])
    apart = [rows_of([question(text)]) for text in texts]
    for name in ("token_ids", "segment_ids", "starts", "ends"):
        expected = np.concatenate([getattr(rows, name) for rows in apart] * 150)
        np.testing.assert_array_equal(getattr(together, name), expected)
