import json

import keras
import pytest

from export.runs import export_run
from tests.trainers.task_kinds.small_runs import tokenizer_of, train_once
from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.finetuning_configuration import ChoiceFinetuneConfig
from tfplm.models.build import build_model
from trainers.evaluate import evaluate_run
from trainers.predict import predict_run
from trainers.task_kinds.registry import kind_of

WORDS = ["rain", "snow", "soup", "bread", "雨", "饭"]
LSTM = {"type": "lstm", "embedding_dim": 8, "hidden_dim": 8, "initializer_range": 0.5}


def config(path, **changes) -> ChoiceFinetuneConfig:
    values = {
        "data": {"train": {"type": "choices", "paths": [str(path)]}},
        "task": {"type": "multiple_choice", "num_choices": 3},
        "candidates": {"lstm": {"model": LSTM, "epochs": 1}},
        "sequence_length": 8,
        "batch_size": 8,
    }
    return validate(ChoiceFinetuneConfig, values | changes, "test")


def write(path, with_question=False):
    rows = [
        {"context": f"{first} {second}", "choices": [second, third, first][: 2 + n % 2], "label": n % 2}
        | ({"question": third} if with_question else {})
        for n, (first, second, third) in enumerate((a, b, c) for a in WORDS for b in WORDS for c in WORDS[:2] if a != b)
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("choices")
    keras.utils.set_random_seed(0)
    return train_once(config(write(folder / "a.jsonl")), tokenizer_of(WORDS), folder / "run")


def test_a_run_answers_and_is_judged_beside_guessing(run):
    report = run.read_report()
    test = report["test"]
    assert 0.0 <= test["accuracy"] <= 1.0 and test["intervals"]["accuracy"] is not None
    assert 1 / 3 < test["chance"] < 1 / 2 <= test["majority"]
    assert report["tokens"] == report["steps"] * 8 * 3 * 8
    (answer,) = predict_run(run.path, [{"context": "雨", "choices": ["rain", "soup"]}])
    assert answer["choices"] == ["rain", "soup"] and answer["choice"] in (0, 1) and len(answer["probabilities"]) == 3


def test_a_file_is_judged_only_where_its_questions_have_the_form_that_was_learned(run, tmp_path):
    assert evaluate_run(run.path, write(tmp_path / "b.jsonl"))["examples"] == 60
    with pytest.raises(UserError, match="line 1 has a question beside its context, and the model learns without one"):
        evaluate_run(run.path, write(tmp_path / "c.jsonl", with_question=True))


def test_questions_are_an_input_of_their_own(tmp_path):
    kind = kind_of(config(write(tmp_path / "a.jsonl", with_question=True)))
    data = kind.load(0)
    assert kind.inputs(data) == ("context", "question", "choices")
    candidate = config("a").candidates["lstm"].model
    assert kind.build_task(build_model(candidate, 20), data).config.has_question
    lengths = kind.row_lengths(data, tokenizer_of(WORDS))
    assert set(lengths.tolist()) == {3 + 2 + 1 + 1}


def test_tflite_files_answer_strings_and_ids_as_the_run_does(run, tmp_path):
    figures = export_run(run.path, "tflite", tmp_path / "out")
    assert figures["num_texts"] >= 64 and figures["inputs"] == ["context", "choices"]
    assert set(figures["files"]) >= {"model_text.tflite", "model_ids_int8.tflite"}
    said = (tmp_path / "out" / "how_to_use.md").read_text(encoding="utf-8")
    assert "Anna came." in said and "`choice`" in said
