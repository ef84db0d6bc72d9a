"""Classification and regression of pairs: learned, answered, judged and exported by the commands that are there."""

import json
import random
import re

import numpy as np
import pytest

from export.runs import export_run
from tests.written_corpus import TOPICS, sentence
from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from trainers.evaluate import evaluate_run
from trainers.predict import predict_run
from trainers.stages import run_finetune

TINY = {"type": "bert", "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}


def write_pairs(path, count=90):
    """Pairs of sentences on one topic or two, told by a label and by a number."""
    rng = random.Random(2)
    with path.open("w", encoding="utf-8") as file:
        file.write("sentence1\tsentence2\tlabel\tsource\n")
        for number in range(count):
            first, second = rng.choice(list(TOPICS)), rng.choice(list(TOPICS))
            label = 4.0 if first == second else 1.0
            row = (sentence(first, rng), sentence(second, rng), str(label), f"source {number % 2}")
            file.write("\t".join(row) + "\n")
    return path


@pytest.fixture(scope="module", params=["text_classification", "text_regression"])
def run(request, tmp_path_factory):
    base = tmp_path_factory.mktemp(request.param)
    source = {"type": "table", "paths": [str(write_pairs(base / "pairs.tsv"))], "layout": "glue"}
    values = {
        "output_dir": str(base / "out"),
        "tokenizer": {"vocabulary_size": 100, "min_frequency": 1},
        "finetune": {
            "data": {"train": source},
            "task": {"type": request.param},
            "candidates": {"bert": {"model": TINY, "epochs": 4, "optimizer": {"learning_rate": 2e-2}}},
            "sequence_length": 40,
            "batch_size": 8,
            "packing": request.param == "text_regression",
        },
    }
    return run_finetune(validate(ExperimentConfig, values, "test"), Progress.silent()) / "bert" / "seed-0"


def test_the_run_reports_its_figures_with_intervals_and_its_errors(run):
    report = json.loads((run / "report.json").read_text())
    figure = "accuracy" if "accuracy" in report["test"] else "pearson"
    low, high = report["test"]["intervals"][figure]
    assert low <= report["test"][figure] <= high
    text = (run / "evaluation" / "test" / "report.md").read_text()
    assert "By length" in text and "pairs.tsv, line" in text
    assert list((run / "evaluation" / "test").glob("*.png"))
    assert (run.parents[2] / "comparison.png").is_file()


def test_pairs_are_answered_as_mappings(run):
    (answer,) = predict_run(run, [{"text": "the ship", "text_pair": "an old dock"}])
    assert (answer["text"], answer["text_pair"]) == ("the ship", "an old dock")
    assert np.isfinite(answer["score"]) if "score" in answer else answer["label"] in ("1.0", "4.0")


def test_what_is_exported_is_proved_and_judged_as_the_run_is(run, tmp_path):
    # Each form with one of the tasks: they differ in their heads alone.
    format = "saved_model" if "classification" in str(run) else "tflite"
    report = export_run(run, format, tmp_path / "out")
    assert report["num_texts"] >= 64 and report["inputs"] == ["text", "text_pair"]
    assert "text_pair=" in (tmp_path / "out" / "how_to_use.md").read_text()
    data = run.parents[3] / "pairs.tsv"
    expected, found = evaluate_run(run, data), evaluate_run(tmp_path / "out", data)
    for figure in ("accuracy", "pearson", "mae"):
        assert (figure in expected) == (figure in found)
        if figure in expected:
            assert found[figure] == pytest.approx(expected[figure], abs=1e-3)
    assert expected["examples"] == 90


def test_several_sets_of_data_stand_side_by_side_and_columns_group(run, tmp_path):
    data = run.parents[3] / "pairs.tsv"
    other = write_pairs(tmp_path / "other.tsv", 30)
    record = evaluate_run(run, [data, other], tmp_path / "out", slice_columns=["source"])
    assert list(record["data"]) == ["pairs.tsv", "other.tsv"] == list(record["drops"])
    groups = record["data"]["pairs.tsv"]["slices"]["source"]
    assert {group["slice"]: group["examples"] for group in groups} == {"source 0": 45, "source 1": 45}
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == record
    text = (tmp_path / "out" / "report.md").read_text()
    assert "test split of the training data" in text and "On other.tsv the model" in text
    shown = re.findall(r"!\[by (?:length|source)\]\((.+?)\)", text)
    assert len(set(shown)) == 4 and all((tmp_path / "out" / name).stat().st_size > 1000 for name in shown)
    assert list((tmp_path / "out" / "logs").glob("events*"))


def test_a_damaged_export_is_told(run, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(UserError, match="no export that can be judged"):
        evaluate_run(tmp_path, run.parents[3] / "pairs.tsv")
