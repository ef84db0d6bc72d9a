"""A stage in a process of its own that tells every step as it is done: ``verify-resume`` kills such processes.

What is told are lines of JSON on standard output: the task and the steps done.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tfplm.config import load_config
from tfplm.experiment import ExperimentConfig
from tfplm.failures import report_failure
from tfplm.progress import Progress, Task


class WatchedStage:
    """The parent's side: starts the process and follows it. Use it in a ``with`` block, whose end ends the process.

    Args:
        config: YAML file of the experiment.
        stage: "pretrain" or "finetune".
        log: file that takes its messages.

    Attributes:
        begun: steps done when each task began, by its name, in order.
        done: steps done of each task, by its name.
        told_last: when the last step was told, by time.monotonic; None before the first.
    """

    def __init__(self, config: Path, stage: str, log: Path):
        self.begun: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.told_last: float | None = None
        self.log = log
        self._changed = threading.Condition()
        command = [sys.executable, "-m", "trainers.watched_stage", str(config), stage]
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ
        with log.open("wb") as messages:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages, env=environment
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "WatchedStage":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    def wait_until(self, happened: Callable[[], bool]) -> bool:
        """Waits until a step makes ``happened`` true; False when the process ends without it."""
        with self._changed:
            while not happened():
                if not self._reader.is_alive():
                    return happened()
                self._changed.wait(timeout=0.1)
        return True

    def end(self) -> int:
        """Waits for the end of the process; returns its exit code, negative for a signal."""
        code = self.process.wait()
        self._reader.join()
        return code

    def messages(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _read(self) -> None:
        for line in self.process.stdout:
            if not line.startswith(b'{"task"'):
                continue  # a library's own
            with contextlib.suppress(ValueError), self._changed:  # the kill may cut a line off
                told = json.loads(line)
                self.begun.setdefault(told["task"], told["done"])
                self.done[told["task"]] = told["done"]
                self.told_last = time.monotonic()
                self._changed.notify_all()


class _ToldTask(Task):
    def __init__(self, description: str, completed: int):
        self._description, self._done = description, completed
        self.advance(0)

    def advance(self, n: float = 1, **figures: Any) -> None:
        self._done += int(n)
        line = json.dumps({"task": self._description, "done": self._done})
        os.write(sys.stdout.fileno(), f"{line}\n".encode())


class _ToldProgress(Progress):
    """Messages on standard error, steps on standard output."""

    def __init__(self):
        super().__init__(quiet=True)

    @contextlib.contextmanager
    def task(self, description: str, total: float | None, unit: str, completed: float = 0) -> Iterator[Task]:
        yield _ToldTask(description, int(completed)) if unit == "steps" else Task()


def _run(config: Path, stage: str) -> int:
    """The child's side; returns the exit code that the command of the stage would give."""
    from trainers.stages import run_finetune, run_pretrain  # the parent does without them

    run = {"pretrain": run_pretrain, "finetune": run_finetune}[stage]
    try:
        run(load_config(ExperimentConfig, config), _ToldProgress())
    except BaseException as error:  # as the command line answers it
        return report_failure(error, debug=False, resumable=True)
    return 0


if __name__ == "__main__":
    sys.exit(_run(Path(sys.argv[1]), sys.argv[2]))
