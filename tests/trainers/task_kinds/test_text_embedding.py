import keras
import numpy as np
import pytest

from tests.trainers.task_kinds.small_runs import tokenizer_of, train_once
from tfplm.answering.registry import answerer_for
from tfplm.config import validate
from tfplm.data.embedding_sources import EmbeddingExample
from tfplm.data.example_list import ExampleList
from tfplm.errors import UserError
from tfplm.finetuning_configuration import EmbeddingFinetuneConfig
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig
from trainers.evaluate import evaluate_run
from trainers.evaluation import Evaluation
from trainers.predict import predict_run
from trainers.task_kinds.registry import kind_of

TABLE = {"type": "table", "paths": ["a.csv"], "text_pair_column": "text_pair"}
BERT = {"type": "bert", "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
WORDS = ["rain", "snow", "soup", "bread", "ship", "rope", "雨", "雪"]


def config(train=TABLE, task=None, **changes) -> EmbeddingFinetuneConfig:
    values = {
        "data": {"train": train, **changes.pop("data", {})},
        "task": {"type": "text_embedding", **(task or {})},
        "candidates": {"bert": {"model": BERT, "epochs": 1}},
        "sequence_length": 8,
        "batch_size": 8,
    }
    return validate(EmbeddingFinetuneConfig, values | changes, "test")


def pairs(*rows) -> ExampleList:
    return ExampleList([EmbeddingExample(text, partner, "a.csv", text, **more) for text, partner, more in rows])


def test_rows_number_equal_texts_alike_and_mark_what_is_not_there():
    kind = kind_of(config())
    examples = pairs(
        ("Rain", "snow", {"negative": "soup"}),
        ("rain", "ship", {}),
        ("soup", "snow", {"score": 1.0, "is_partner": False}),
    )
    task = kind.build_task(build_model(BertConfig(**BERT), 60), None)
    rows = kind.rows(examples, answerer_for(task, tokenizer_of(WORDS), 8), is_training=True)
    numbers = rows.targets["embeddings"]
    assert rows.features["token_ids"].shape == (3, 3, 8)
    assert numbers[0, 0] == numbers[1, 0] and numbers[0, 1] == numbers[2, 1] and numbers[0, 2] == numbers[2, 0]
    assert numbers[1:, 2].tolist() == [-1, -1]
    assert rows.weights["embeddings"].tolist() == [1.0, 1.0, 0.0]
    assert (rows.weights["similarity"].tolist(), rows.lengths.tolist()) == ([0.0, 0.0, 1.0], [3, 3, 3])


def test_partners_are_sought_among_all_where_their_texts_stand_once_and_groups_keep_their_ranks():
    kind = kind_of(config())
    examples = pairs(("a", "b", {}), ("c", "d", {}), ("a", "e", {}), ("f", "g", {"score": 1.0, "is_partner": False}))
    vectors = np.array([[1, 0], [0, 1], [1, 0], [1, 1], [1, 0.1], [1, -1], [0, 1], [1, -1]], np.float32)
    evaluation = Evaluation("test", kind, {"embedding": vectors}, examples, [], {})
    figures = evaluation.figures
    assert (figures["examples"], figures["sought"], figures["candidates"], figures["scored"]) == (4, 2, 2, 1)
    assert (figures["recall_at_1"], figures["mrr"], figures["spearman"]) == (0.5, 0.75, None)
    assert kind.figures(evaluation._outcomes_of(np.array([1])), examples.select([1]), [])["mrr"] == 0.5
    (error,) = evaluation.errors
    assert (error["text"], error["truth"], error["prediction"], error["figures"]) == ("c", "d", "b", {"rank": 2})


def test_cosines_are_judged_by_scores():
    train = TABLE | {"score_column": "score"}
    kind = kind_of(config(train, {"objective": "similarity"}, data={"score_range": [0, 5]}))
    assert next(iter(kind.figure_names)) == "spearman"
    examples = pairs(*((f"a{n}", f"b{n}", {"score": n, "is_partner": False}) for n in range(4)))
    angles = np.array([3.0, 2.0, 1.0, 0.0])
    vectors = np.concatenate([np.tile([1.0, 0.0], (4, 1)), np.stack([np.cos(angles), np.sin(angles)], axis=1)])
    figures = Evaluation("test", kind, {"embedding": vectors}, examples, [], {}).figures
    assert (figures["spearman"], figures["recall_at_1"], figures["examples"]) == (pytest.approx(1.0), None, 4)
    assert kind._similarities(examples).tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"accumulation_steps": 2}, "accumulation_steps parts the batch"),
        ({"packing": True}, "packing"),
        ({"batch_size": 1}, "negatives in its batch"),
        ({"task": {"objective": "distillation"}}, "in Python only"),
        ({"task": {"objective": "similarity"}}, "set data.train.score_column"),
        ({"train": TABLE | {"score_column": "s"}, "data": {"score_range": [0, 5]}}, "set data.partner_score"),
        (
            {"train": {"type": "text", "paths": ["a.txt"]}, "early_stopping_patience": 2},
            "early_stopping_patience needs pairs",
        ),
    ],
)
def test_settings_that_cannot_be_learned_with_are_told(changes, told):
    with pytest.raises(UserError, match=told):
        config(**changes)


def test_texts_alone_need_dropout():
    kind = kind_of(config({"type": "text", "paths": ["a.txt"]}))
    encoder = build_model(BertConfig(**BERT, dropout=0.0, attention_dropout=0.0), 60)
    with pytest.raises(UserError, match="has no dropout"):
        kind.build_task(encoder, None)


def test_a_run_learns_answers_and_is_judged(tmp_path):
    keras.utils.set_random_seed(0)
    table = tmp_path / "pairs.csv"
    lines = [f"{first} {second},{second} {first}" for first in WORDS for second in WORDS if first != second]
    table.write_text("\n".join(["text,text_pair", *lines]), encoding="utf-8")
    run = train_once(config(TABLE | {"paths": [str(table)]}), tokenizer_of(WORDS), tmp_path / "run")
    report = run.read_report()
    assert report["test"]["candidates"] == report["test"]["sought"] == report["data"]["test"]["examples"]
    assert 0.0 < report["test"]["mrr"] <= 1.0 and report["validation"]["intervals"]["mrr"] is not None
    assert evaluate_run(run.path, table)["examples"] == len(lines)
    (answer,) = predict_run(run.path, ["rain 雪"])
    assert len(answer["embedding"]) == 16
