"""Trainings of contenders, each in a process of its own; what is done stays done."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.rounds import NOT_INSTALLED, ROOT, environment
from benchmarks.tasks.assignment import ANSWERS_FILE, TRAINING_FILE, Assignment, read_json_lines
from benchmarks.tasks.judging import figures_of
from benchmarks.tasks.sets import TaskSet

_LOG_FILE, _RESULT_FILE = "log.txt", "result.json"


@dataclass(frozen=True)
class Contender:
    """Who trains.

    Args:
        name: shown in the table.
        module: with ``train`` and ``answer``, see `benchmarks.tasks.worker`.
        requires: top-level modules that must be installed.
    """

    name: str
    module: str
    requires: tuple[str, ...] = ()


CONTENDERS = {
    "tfplm": Contender("tfplm", "benchmarks.tasks.own.tfplm"),
    "hugging_face": Contender(
        "Hugging Face on PyTorch", "benchmarks.tasks.peers.transformers_torch", ("torch", "transformers")
    ),
}


class ProcessFailed(Exception):
    """A process has ended with an error; says its last words."""


def result_of(contender: Contender, task_set: TaskSet, assignment: Assignment, say: Callable[[str], None]) -> dict:
    """The result of a training, which is read where the same one was done before, and else done.

    Args:
        contender: who trains.
        task_set: on what.
        assignment: how; its folder is made anew unless it holds this result.
        say: is told what is going on.

    Returns:
        ``figures`` of the answers, ``training_seconds`` from raw text to weights on disk, ``command_seconds`` of the
        whole process, ``training`` as the contender tells it; or ``problem``, which is not kept.
    """
    if not all(find_spec(name) for name in contender.requires):
        return {"problem": NOT_INSTALLED}
    folder, mark = Path(assignment.folder), _fingerprint(assignment)
    before = _read_result(folder / _RESULT_FILE)
    if before.get("fingerprint") == mark:
        say("done before")
        return before
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        result = {"fingerprint": mark, **_train_and_answer(contender, task_set, assignment)}
    except ProcessFailed as error:
        say(f"failed: {error}")
        return {"problem": f"failed: {error}"}
    (folder / _RESULT_FILE).write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.rmtree(folder / "model")
    name = assignment.metrics[0]
    say(f"{name} {100 * result['figures'][name]:.1f}, {result['training_seconds']:.0f} s")
    return result


def _train_and_answer(contender: Contender, task_set: TaskSet, assignment: Assignment) -> dict[str, Any]:
    folder = Path(assignment.folder)
    worker = [sys.executable, "-m", "benchmarks.tasks.worker", contender.module]
    began = time.perf_counter()
    run_process([*worker, "train"], assignment.threads, folder / _LOG_FILE, json.dumps(assignment.values()))
    command_seconds = time.perf_counter() - began
    run_process([*worker, "answer"], assignment.threads, folder / _LOG_FILE, json.dumps(assignment.values()))
    training = json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8"))
    return {
        "figures": figures_of(task_set, assignment.test, read_json_lines(folder / ANSWERS_FILE)),
        "training_seconds": training["seconds"],
        "command_seconds": command_seconds,
        "training": training,
    }


def run_process(command: list[str], threads: int, log: Path, text: str = "") -> None:
    """Runs a command from the checkout's folder with so many threads. Raises ProcessFailed where it fails.

    Args:
        command: with its arguments.
        threads: of every library.
        log: what it prints is added here.
        text: its standard input.
    """
    with log.open("ab") as file:
        process = subprocess.run(
            command, cwd=ROOT, env=environment(threads), input=text.encode(), stdout=file, stderr=file, check=False
        )
    if process.returncode:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").split("\n")]
        words = next((line for line in reversed(lines) if line), f"exit code {process.returncode}")
        raise ProcessFailed(f"{words} (see {log})")


def _fingerprint(assignment: Assignment) -> str:
    """Of what the result depends on: the assignment, and what is in its files."""
    values = assignment.values() | {
        name: hashlib.sha256(Path(getattr(assignment, name)).read_bytes()).hexdigest() for name in ("train", "test")
    }
    values.pop("folder")
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _read_result(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):  # none, or one that was interrupted
        return {}
