"""Measures contenders side by side: all of a group are started, then measured in turn, round after round."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contender import Contender
from benchmarks.statistics import Row

ROOT = Path(__file__).parent.parent
NOT_INSTALLED = 'not installed (pip install -e ".[bench]")'


@dataclass(frozen=True)
class Rounds:
    """How long and how often everything is measured.

    Args:
        count: of rounds.
        seconds: that each contender is measured in each round, about.
        threads: of every contender.
        limit: seconds that a contender may take to answer before it is given up.
    """

    count: int
    seconds: float
    threads: int
    limit: float = 900.0


class ContenderFailed(Exception):
    """A contender's process has ended, or did not answer in time."""


def measure_group(contenders: Sequence[Contender], rounds: Rounds, say: Callable[[str], None]) -> list[Row]:
    """Measures contenders that are compared with each other, interleaved; every second round in reverse order.

    A contender that is not installed, or fails, has a row that says so.

    Args:
        contenders: in the order of the table.
        rounds: how long and how often.
        say: is told what is going on.
    """
    rows = [Row(contender) for contender in contenders]
    with contextlib.ExitStack() as stack:
        workers = []
        for row in rows:
            label = f"{row.contender.name} {row.contender.setting}".strip()
            if not all(importlib.util.find_spec(name) for name in row.contender.requires):
                row.problem = NOT_INSTALLED
                say(f"{label}: {NOT_INSTALLED}")
                continue
            say(f"{label}: starting")
            worker = stack.enter_context(_Worker(row, rounds))
            if worker.attempt(worker.wait_until_ready):
                workers.append(worker)
            else:
                say(f"{label}: {row.problem}")
        for number in range(rounds.count):
            for worker in workers if number % 2 == 0 else reversed(workers):
                if worker.row.problem is None:
                    worker.attempt(worker.measure)
            say(f"round {number + 1} of {rounds.count} done")
    return rows


class _Worker:
    """The process of one contender; fills the contender's row."""

    def __init__(self, row: Row, rounds: Rounds):
        self.row, self._rounds = row, rounds

    def __enter__(self) -> "_Worker":
        contender = self.row.contender
        self._log = tempfile.TemporaryFile()  # closed by __exit__
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", contender.module, json.dumps(contender.options)],
            cwd=ROOT,
            env=environment(self._rounds.threads) | contender.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def attempt(self, action: Callable[[], None]) -> bool:
        """Whether the action succeeded; if not, the row has no rates, but the problem."""
        try:
            action()
        except ContenderFailed as error:
            self.row.rates, self.row.problem = [], f"failed: {error}"
        return self.row.problem is None

    def wait_until_ready(self) -> None:
        answer = self._answer()
        self._amount, self.row.facts = answer["amount"], answer["facts"]

    def measure(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # told by the missing answer
            self._process.stdin.write(json.dumps({"seconds": self._rounds.seconds}) + "\n")
            self._process.stdin.flush()
        answer = self._answer()
        self.row.rates.append(self._amount * answer["repetitions"] / answer["seconds"])

    def _answer(self) -> dict:
        timer = threading.Timer(self._rounds.limit, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise ContenderFailed(self._last_words())
        return json.loads(line)

    def _last_words(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), f"exit code {code}")


def environment(threads: int) -> dict[str, str]:
    """The same number of threads for every library, no GPU, nothing from the network."""
    settings = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}
    settings |= {name: str(threads) for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}
    settings |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    settings |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true", "PYTHONPATH": str(ROOT)}
    return os.environ | settings
