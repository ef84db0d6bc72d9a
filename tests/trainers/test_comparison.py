import json

from tfplm.finetuning_configuration import FinetuneConfig
from trainers.candidates import best_seed
from trainers.comparison import write_comparison
from trainers.task_kinds.registry import kind_of

CONFIG = {
    "data": {"train": {"type": "table", "paths": ["x.csv"], "label_column": "label"}},
    "candidates": {"big": {"model": {"type": "bert"}}, "small": {"model": {"type": "lstm"}}},
    "seeds": [0, 1],
}


def report(seed, accuracy, validation):
    figures = {"accuracy": accuracy, "macro_f1": accuracy, "auc": None, "loss": 1 - accuracy, "examples": 10}
    per_class = {"a": {"precision": 1.0, "recall": 0.5, "f1": 0.7, "examples": 10}}
    return {
        "seed": seed,
        "class_names": ["a"],
        "data": {split: {"groups": 3, "per_class": {"a": 5}} for split in ("train", "validation", "test")}
        | {"dropped": {"repeated": 2, "short": 0}},
        "parameters": 1000,
        "seconds": 2.0,
        "tokens": 300,
        "versions": {},
        "validation": figures | {"accuracy": validation, "macro_f1": validation},
        "test": figures | {"per_class": per_class},
        "history": [{"step": 1, "val_accuracy": accuracy}],
    }


def write(folder, reports):
    config = FinetuneConfig.model_validate(CONFIG)
    return write_comparison(folder, config, kind_of(config), reports, {"big": {"seconds": 60.0, "tokens": 5000}})


def test_the_report_says_who_wins_with_mean_and_spread(tmp_path):
    reports = {
        "big": [report(0, 0.8, 0.9), report(1, 0.9, 0.7)],
        "small": [report(0, 0.5, 0.6), report(1, 0.6, 0.6)],
    }
    write(tmp_path, reports)
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["best"] == "big"
    markdown = (tmp_path / "report.md").read_text()
    assert "**big** is ahead of **small** by 30.0 points" in markdown
    assert "every seed of the one beats every seed of the other" in markdown
    assert "| big | 0.850 ± 0.071 |" in markdown
    assert "| train | 3 | 5 |" in markdown
    assert "Left out: 2 repeated." in markdown
    assert (tmp_path / "comparison.png").stat().st_size > 5000


def test_the_best_candidate_is_chosen_on_validation_and_not_on_test(tmp_path):
    reports = {"big": [report(0, 0.9, 0.2), report(1, 0.9, 0.2)], "small": [report(0, 0.1, 0.8), report(1, 0.1, 0.8)]}
    assert write(tmp_path, reports)["best"] == "small"
    assert best_seed([report(0, 0.9, 0.2), report(1, 0.1, 0.4)], "accuracy") == 1


def test_overlapping_seeds_are_called_so(tmp_path):
    reports = {
        "big": [report(0, 0.8, 0.9), report(1, 0.5, 0.7)],
        "small": [report(0, 0.6, 0.6), report(1, 0.6, 0.6)],
    }
    write(tmp_path, reports)
    assert "the seeds overlap" in (tmp_path / "report.md").read_text()
