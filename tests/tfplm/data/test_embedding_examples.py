import csv

import pytest

from tfplm.config import validate
from tfplm.data.embedding_configuration import EmbeddingDataConfig
from tfplm.data.embedding_examples import held_out_texts, load_embedding_data
from tfplm.data.sources import text_digest
from tfplm.errors import UserError

SCORES = {"score_column": "score"}


def table(path, rows, **columns):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "text_pair", "score"], *rows])
    return {"type": "table", "paths": [str(path)], "text_pair_column": "text_pair", **columns}


def load(train, needs_score=False, **settings):
    return load_embedding_data(validate(EmbeddingDataConfig, {"train": train, **settings}, "test"), 0, needs_score)


def test_pairs_are_split_chosen_and_counted(tmp_path):
    train = table(tmp_path / "a.csv", [(f"text {n}", f"文 {n}", "") for n in range(100)] + [("text 1", "文 1", "")])
    data = load(train, max_train_examples=30, max_evaluation_examples=10)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [30, 10, 10]
    assert (data.figures["train"]["available_examples"], data.figures["dropped"]["repeated"]) == (70, 1)
    assert data.test.select([1, 0]).texts == data.test.texts[1::-1]
    fewer = load(train, max_train_examples=5).train.texts
    assert set(fewer) <= set(data.train.texts)


def test_what_evaluation_asks_is_not_learned_on_either_side(tmp_path):
    test = table(tmp_path / "test.csv", [("asked", "answer", "")])
    rows = [("asked", "x", ""), ("y", "asked", ""), ("z", "answer", ""), ("v", "w", "")]
    data = load(table(tmp_path / "a.csv", rows), test=test, split={"validation": 0.0})
    assert (data.train.texts, data.figures["dropped"]["in_evaluation"]) == (["z", "v"], 2)


def test_texts_alone_are_all_learned(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"line {n}" for n in range(9)), encoding="utf-8")
    data = load({"type": "text", "paths": [str(path)], "document": "line"})
    assert [len(split) for split in (data.train, data.validation, data.test)] == [9, 0, 0]


def test_pairs_below_the_score_of_partners_judge_and_are_not_learned(tmp_path):
    rows = [(f"a{n}", f"b{n}", n % 6) for n in range(60)]
    train = table(tmp_path / "a.csv", rows, **SCORES)
    data = load(train, score_range=[0, 5], partner_score=4)
    assert {example.score for example in data.train} == {4.0, 5.0}
    assert data.figures["test"]["partners"] < data.figures["test"]["scored"] == len(data.test)
    assert {example.score for example in load(train, True, score_range=[0, 5]).train} == set(map(float, range(6)))


def test_scores_that_make_no_partners_are_told(tmp_path):
    train = table(tmp_path / "a.csv", [(f"a{n}", f"b{n}", 1) for n in range(9)], **SCORES)
    with pytest.raises(UserError, match="Lower finetune.data.partner_score"):
        load(train, score_range=[0, 5], partner_score=4)
    with pytest.raises(UserError, match="Set finetune.data.partner_score"):
        load(train, score_range=[0, 5])


def test_too_few_groups_are_told(tmp_path):
    with pytest.raises(UserError, match="all 2 examples are of 1 group"):
        load(table(tmp_path / "a.csv", [("a", "b", ""), ("a", "c", "")]))


def test_pretraining_must_see_neither_side_of_what_is_evaluated(tmp_path):
    train = table(tmp_path / "a.csv", [(f"text {n}", f"partner {n}", "") for n in range(20)])
    config = validate(EmbeddingDataConfig, {"train": train}, "test")
    data, held_out = load_embedding_data(config, 0), held_out_texts(config, 0)
    for split, is_held_out in ((data.train, False), (data.validation, True), (data.test, True)):
        assert all((text_digest(text) in held_out) == is_held_out for example in split for text in example.texts)
