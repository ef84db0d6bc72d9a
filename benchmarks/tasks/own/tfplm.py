"""tfplm: a configuration file and ``tfplm finetune``, as a user has it."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import yaml

import trainers.stages  # noqa: F401  the clock does not run while libraries are imported, here and in the peers
from benchmarks.tasks.assignment import Assignment, read_columns, read_json_lines, read_questions
from benchmarks.tasks.own.configuration import CANDIDATE, experiment
from tfplm.cli import app
from trainers.predict import predict_run


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
    """The answers to the test file, as ``tfplm predict`` gives them for strings."""
    return _ANSWERS[assignment.kind](assignment)


def _labels(assignment: Assignment) -> list[dict]:
    texts = [{name: row[name] for name in row if name != "label"} for row in read_json_lines(assignment.test)]
    return [{"label": answer["label"]} for answer in predict_run(_run(assignment), texts)]


def _tags(assignment: Assignment) -> list[dict]:
    sentences = [[word for word, _ in sentence] for sentence in read_columns(assignment.test)]
    answers = predict_run(_run(assignment), map(" ".join, sentences))
    return [{"tags": tags_of(words, a["spans"])} for words, a in zip(sentences, answers, strict=True)]


def _passages(assignment: Assignment) -> list[dict]:
    questions = read_questions(assignment.test)
    texts = [{"question": question["question"], "passage": question["context"]} for question in questions]
    answers = predict_run(_run(assignment), texts)
    return [{"id": q["id"], "text": a["answer"]} for q, a in zip(questions, answers, strict=True)]


_ANSWERS = {"text": _labels, "pair": _labels, "tags": _tags, "answers": _passages}


def tags_of(words: list[str], spans: list[dict]) -> list[str]:
    """The tags, in the scheme IOB2, of words that a space joins.

    Args:
        words: of a sentence.
        spans: ``start``, ``end`` and ``label`` of what was found in it, from the left.
    """
    tags, start, before = [], 0, None
    for word in words:
        over = next((span for span in spans if span["start"] <= start < span["end"]), None)
        tags.append("O" if over is None else ("I-" if over is before else "B-") + over["label"])
        start, before = start + len(word) + 1, over
    return tags


def _run(assignment: Assignment) -> Path:
    return Path(assignment.folder) / "model/finetune" / CANDIDATE / f"seed-{assignment.seed}"
