import json

import numpy as np
import pytest

from tfplm.tasks.configuration import TextClassificationConfig
from trainers.metrics.errors import (
    classification_errors,
    errors_table,
    join_words,
    question_answering_errors,
    regression_errors,
    retrieval_errors,
    tagging_errors,
)

ORIGINS = [f"test.tsv:{line}" for line in range(1, 9)]


def test_the_surest_wrong_class_comes_first_and_right_ones_are_left_out():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]])
    records = classification_errors(
        ["wrong and sure", "wrong", "right", "right"],
        ORIGINS,
        np.array([1, 1, 1, 1]),
        probabilities,
        ["bad", "good"],
        TextClassificationConfig(),
    )
    assert [record["text"] for record in records] == ["wrong and sure", "wrong"]
    assert records[0] == {
        "text": "wrong and sure",
        "truth": "good",
        "prediction": "bad",
        "figures": {"loss": pytest.approx(-np.log(0.1)), "probability": 0.9},
        "origin": "test.tsv:1",
    }
    json.dumps(records)


def test_sets_of_classes_are_shown_whole():
    records = classification_errors(
        ["a", "b"],
        ORIGINS,
        np.array([[1, 1], [0, 0]]),
        np.array([[0.9, 0.2], [0.1, 0.2]]),
        ["news", "sport"],
        TextClassificationConfig(multi_label=True),
    )
    assert [(record["truth"], record["prediction"]) for record in records] == [("news, sport", "news")]
    assert list(records[0]["figures"]) == ["loss"]


def test_numbers_farthest_off_come_first():
    records = regression_errors(["a", "b", "c"], ORIGINS, np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 0.5]))
    assert [(r["text"], r["truth"], r["prediction"], r["figures"]["error"]) for r in records] == [
        ("c", "3", "0.5", 2.5),
        ("a", "1", "1.5", 0.5),
    ]


def test_sentences_with_most_wrong_entities_show_what_was_missed_and_what_was_given_wrongly():
    words = [["Ann", "Lee", "left"], ["王", "小", "明", "去", "北", "京"], ["fine"]]
    gold = [["B-PER", "I-PER", "O"], ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "I-LOC"], ["O"]]
    predicted = [["O", "O", "O"], ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"], ["O"]]
    records = tagging_errors(words, ORIGINS, gold, predicted)
    assert [(r["text"], r["truth"], r["prediction"], r["figures"]) for r in records] == [
        ("王小明去北京", "PER: 王小明", "PER: 王小", {"wrong": 2}),
        ("Ann Lee left", "PER: Ann Lee", "", {"wrong": 1}),
    ]


def test_of_answers_that_are_all_wrong_the_surest_come_first():
    records = question_answering_errors(
        ["who?", "where?", "when?", "why?"],
        ORIGINS,
        ["me", "here", "in May", "so"],
        [["you", "you", "they"], [], ["in June"], ["so"]],
        np.array([0.2, 0.9, 0.99, 0.99]),
    )
    assert [(r["text"], r["truth"], r["prediction"]) for r in records] == [
        ("where?", "", "here"),
        ("who?", "you / they", "me"),
        ("when?", "in June", "in May"),
    ]
    assert records[2]["figures"] == {"f1": 50.0, "confidence": 0.99}


def test_partners_that_were_found_last_come_first():
    records = retrieval_errors(
        ["a", "b", "c"], ORIGINS, ["A", "B", "C"], np.array([1, 2, 3]), np.array([0, 2, 0]), limit=1
    )
    assert [(r["text"], r["truth"], r["prediction"], r["figures"]) for r in records] == [("c", "C", "A", {"rank": 3})]


def test_the_table_keeps_to_its_lines_and_columns():
    long = "x" * 500
    records = regression_errors(["a | b\nc", long], ORIGINS, np.array([0.0, 0.0]), np.array([2.0, 1.0]))
    lines = errors_table(records)
    assert lines[0] == "| text | truth | prediction | error | origin |"
    assert lines[2] == r"| a \| b c | 0 | 2 | 2 | test.tsv:1 |"
    assert lines[3].startswith("| " + "x" * 199 + "… |")
    assert errors_table([]) == []


def test_words_are_joined_as_their_script_has_it():
    assert join_words(["a", "b"]) == "a b"
    assert join_words(["中国", "人"]) == "中国人"
