"""tfplm: a configuration file and ``tfplm finetune``, as a user has it."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import yaml

import trainers.stages  # noqa: F401  the clock does not run while libraries are imported, here and in the peers
from benchmarks.tasks.assignment import Assignment, read_json_lines, read_questions
from benchmarks.tasks.own.configuration import CANDIDATE, experiment
from tfplm.cli import app


def train(assignment: Assignment) -> dict[str, Any]:
    """Trains; returns the figures of the training."""
    folder = Path(assignment.folder)
    output = folder / "model"
    if assignment.start == "scratch":
        shutil.copytree(Path(assignment.vocabulary), output / "tokenizer")
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(experiment(assignment, str(output)), allow_unicode=True), encoding="utf-8")
    began = time.perf_counter()
    code = app(["finetune", str(file), "--quiet"], standalone_mode=False)
    seconds = time.perf_counter() - began
    if code:
        sys.exit(code)
    report = json.loads((_run(assignment) / "report.json").read_text(encoding="utf-8"))
    figures = {name: report[name] for name in ("steps", "parameters")}
    return figures | {"seconds": seconds, "seconds_of_steps": report["seconds"]}


def answer(assignment: Assignment) -> list[dict]:
    """The answers to the test file."""
    from trainers.predict import predict_run

    if assignment.kind == "answers":
        questions = read_questions(assignment.test)
        texts = [{"question": question["question"], "passage": question["context"]} for question in questions]
        answers = predict_run(_run(assignment), texts)
        return [{"id": q["id"], "text": a["answer"]} for q, a in zip(questions, answers, strict=True)]
    texts = [{name: row[name] for name in row if name != "label"} for row in read_json_lines(assignment.test)]
    return [{"label": answer["label"]} for answer in predict_run(_run(assignment), texts)]


def _run(assignment: Assignment) -> Path:
    return Path(assignment.folder) / "model/finetune" / CANDIDATE / f"seed-{assignment.seed}"
