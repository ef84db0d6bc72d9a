import csv
import json
from collections import Counter

import pytest

from tfplm.config import validate
from tfplm.data.choice_configuration import ChoiceDataConfig
from tfplm.data.choice_sources import read_choice_examples
from tfplm.errors import UserError

RIGHT = {"context": "天气", "choices": ["冷", "热"], "label": 1}


def jsonl(path, *rows):
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def table(path, header, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path, dropped=None, num_choices=4, on_bad_example="stop", **source):
    train = {"type": "choices", "paths": [str(path)], **source}
    config = validate(ChoiceDataConfig, {"train": train, "on_bad_example": on_bad_example}, "test")
    return read_choice_examples(config.train, config, num_choices, Counter() if dropped is None else dropped)


def parts(example):
    return example.context, example.question, example.choices, example.label


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (RIGHT, ("天气", "", ("冷", "热"), 1)),
        ({"question": "q", "options": ["a", "b", "c"], "answer": "C"}, ("q", "", ("a", "b", "c"), 2)),
        ({"article": "p", "question": "q", "options": ["a", "b"], "answer": "b"}, ("p", "q", ("a", "b"), 1)),
        ({"ctx": "c", "endings": ["a", "b"], "label": "0"}, ("c", "", ("a", "b"), 0)),
        (
            {"question": "q", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"},
            ("q", "", ("a", "b"), 1),
        ),
    ],
)
def test_columns_and_labels_are_known_as_data_sets_call_them(tmp_path, row, expected):
    settings = {"label_format": "letter"} if "answerKey" in row else {}
    (example,) = read(jsonl(tmp_path / "a.jsonl", row), **settings)
    assert parts(example) == expected


def test_choices_stand_in_columns_of_their_own_and_may_be_fewer(tmp_path):
    swag = table(
        tmp_path / "a.csv",
        ["sent1", "sent2", "ending0", "ending1", "ending2", "label", "source"],
        ["He came.", "She", "went.", "sat.", "", "1", "x"],
    )
    (example,) = read(swag, keep_columns=["source"])
    assert parts(example) == ("He came.", "She", ("went.", "sat."), 1)
    assert (example.columns, example.origin) == ((("source", "x"),), f"{swag}, line 2")
    c_eval = table(tmp_path / "b.csv", ["question", "B", "A", "answer"], ["问", "乙", "甲", "B"])
    assert parts(read(c_eval)[0]) == ("问", "", ("甲", "乙"), 1)
    named = read(c_eval, choice_columns=["B", "A"], label_format="text", label_column="A")
    assert parts(named[0]) == ("问", "", ("乙", "甲"), 1)


def test_labels_may_count_from_one(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", RIGHT, RIGHT | {"label": 2})
    assert [example.label for example in read(path, first_index=1)] == [0, 1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"context": " "}, "an empty context"),
        ({"choices": ["a", ""]}, "choice number 2 of 2 is empty"),
        ({"choices": ["a"]}, "choice number 2 of 2 is empty"),
        ({"choices": list("abcde")}, "5 choices, and finetune.task.num_choices is 4"),
        ({"choices": "a"}, "'choices' holds a str"),
        ({"label": 2}, "the label is '2', and there are 2 choices, counted from 0"),
        ({"label": "C"}, "the label is 'C'"),
        ({"label": None}, "no label"),
        ({"choices": ["1", "0"], "label": "0"}, "the label '0' fits the choices [0, 1]"),
    ],
)
def test_what_is_no_question_is_told_with_its_line_or_left_out_and_counted(tmp_path, changes, told):
    path = jsonl(tmp_path / "a.jsonl", RIGHT, RIGHT | changes)
    with pytest.raises(UserError) as caught:
        read(path)
    assert f"{path}, line 2: {told}" in str(caught.value)
    dropped = Counter()
    assert (len(read(path, dropped, on_bad_example="skip")), dropped.total()) == (1, 1)


def test_a_table_whose_columns_cannot_be_told_says_which_are_missing(tmp_path):
    path = table(tmp_path / "a.csv", ["text", "choice_0", "choice_1"], ["a", "b", "c"])
    with pytest.raises(UserError, match=r"'text', 'choice_0'(.|\n)*Set context_column, label_column of the source"):
        read(path)


def test_sentences_that_follow_are_the_right_choice_among_others_of_the_document(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(" ".join(f"This is sentence number {n}." for n in range(12)), encoding="utf-8")
    train = {"type": "adjacent_sentences", "text": {"type": "text", "paths": [str(path)]}}
    config = validate(ChoiceDataConfig, {"train": train}, "test")
    examples = read_choice_examples(config.train, config, 3, Counter())
    assert len(examples) == 6 and len({example.label for example in examples}) > 1
    for number, example in enumerate(examples):
        assert example.context == f"This is sentence number {2 * number}."
        assert example.choices[example.label] == f"This is sentence number {2 * number + 1}."
        assert len(set(example.choices)) == 3
    with pytest.raises(UserError, match="No two sentences follow"):
        read_choice_examples(config.train, config, 8, Counter())
