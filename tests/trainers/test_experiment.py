"""One command's work: every stage, the winner's export, and a second call that does nothing again."""

import json
from pathlib import Path

import pytest

from export.runs import export_run
from tests.trainers.test_stages import experiment
from tests.written_corpus import write_corpus, write_table
from tfplm.errors import UserError
from tfplm.experiment import ExportConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from trainers.experiment import best_run, run_experiment


def test_every_stage_and_the_export_are_done_once(tmp_path):
    write_corpus(tmp_path / "text")
    write_table(tmp_path / "table.csv")
    values = experiment(tmp_path).model_copy(update={"export": ExportConfig(candidate="lstm", formats=["tflite"])})
    summary = run_experiment(values, Progress.silent(), export_run)
    assert {"vocabulary", "pretrained model", "comparison", "best model", "tflite"} <= dict(summary.artefacts).keys()
    assert all(path.exists() for _, path in summary.artefacts)
    assert any(command.startswith("tfplm predict") for command in summary.commands)
    assert dict(summary.artefacts)["best model"].parent.name == "lstm"

    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("report.json")}
    run_experiment(values, Progress.silent(), export_run)
    comparison = tmp_path / "run" / "report.json"  # made anew from the runs' reports
    assert all(path == comparison or path.stat().st_mtime_ns == time for path, time in written.items())

    export = tmp_path / "run" / "export" / "tflite" / "report.json"
    report = json.loads(export.read_text())
    export.write_text(json.dumps(report | {"run_fingerprint": "another run"}))
    with pytest.raises(UserError, match="was not exported from"):
        run_experiment(values, Progress.silent(), export_run)
    run_experiment(values, Progress.silent(), export_run, overwrite=True)
    assert json.loads(export.read_text())["run_fingerprint"] == report["run_fingerprint"]


def test_the_best_run_is_the_best_seed_on_validation(tmp_path):
    write_table(tmp_path / "table.csv")
    values = experiment(tmp_path, corpus=None, pretrain=None, finetune=_lstm_with_two_seeds(tmp_path))
    run_experiment(values, Progress.silent(), export_run)
    folder = tmp_path / "run" / "finetune" / "lstm"
    accuracies = {s: RunDirectory(folder / f"seed-{s}").read_report()["validation"]["accuracy"] for s in (0, 1)}
    best = best_run(values, tmp_path / "run")
    assert accuracies[int(best.name.removeprefix("seed-"))] == max(accuracies.values())


def _lstm_with_two_seeds(folder: Path) -> dict:
    finetune = experiment(folder).finetune.model_dump(mode="json")
    return finetune | {"candidates": {"lstm": finetune["candidates"]["lstm"]}, "seeds": [0, 1]}
