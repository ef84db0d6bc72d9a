"""What long work tells a person: bars on a terminal, lines on a pipe, always on standard error."""

import contextlib
import numbers
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO


class Task:
    """One piece of work under way; ``Progress.task`` gives it."""

    def advance(self, n: float = 1, **figures: Any) -> None:
        """Says that ``n`` more units are done; ``figures`` (loss=0.31, …) are shown beside them. Thread-safe."""


class Progress:
    """Shows messages and the progress of tasks.

    On a terminal a task is a bar with its rate and the time left. Elsewhere it is a plain line every few seconds and
    one at its end. Quiet shows messages only, which stages write when they end or are skipped.

    Args:
        stream: where to write; standard error by default.
        quiet: shows messages but no tasks.
        seconds_between_lines: least time between two plain lines of one task.

    Example:
        >>> progress = Progress()
        >>> with progress.task("counting", total=3, unit="words") as task:
        ...     for _ in range(3):
        ...         task.advance()
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False, seconds_between_lines: float = 5.0):
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._silent = False
        self._seconds_between_lines = seconds_between_lines
        self._bars: _Bars | None = None
        if not quiet and self._stream.isatty() and os.environ.get("TERM") != "dumb":
            self._bars = _Bars(self._stream)

    @classmethod
    def silent(cls) -> "Progress":
        """A progress that shows nothing at all: for use as a library and in tests."""
        progress = cls(quiet=True)
        progress._silent = True
        return progress

    def message(self, text: str) -> None:
        """Writes one line, above the bars if there are any; quiet shows it too."""
        if self._silent:
            return
        if self._bars is not None and self._bars.are_shown:
            self._bars.print(text)
        else:
            print(text, file=self._stream, flush=True)

    @contextlib.contextmanager
    def task(self, description: str, total: float | None, unit: str, completed: float = 0) -> Iterator[Task]:
        """Shows the work done inside the ``with`` block.

        Args:
            description: what is being done, in a few words.
            total: how many units there are in all; None when nobody knows.
            unit: name of the units, in the plural ("steps", "MB").
            completed: units done before, by an earlier run that was interrupted; they do not count in the rate.
        """
        if self._quiet:
            yield Task()
        elif self._bars is not None:
            with self._bars.task(description, total, unit, completed) as task:
                yield task
        else:
            lines = _Lines(self._stream, self._seconds_between_lines, description, total, unit, completed)
            yield lines
            lines.finish()


class _Lines(Task):
    """Plain lines: at most one every few seconds, and one at the end."""

    def __init__(
        self, stream: TextIO, seconds: float, description: str, total: float | None, unit: str, completed: float
    ):
        self._stream, self._seconds = stream, seconds
        self._description, self._total, self._unit = description, total, unit
        self._completed = self._completed_before = completed
        self._figures: dict[str, Any] = {}
        self._start = self._last_line = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, n: float = 1, **figures: Any) -> None:
        with self._lock:
            self._completed += n
            self._figures.update(figures)
            now = time.monotonic()
            if now - self._last_line >= self._seconds:
                self._last_line = now
                self._write(self._under_way(now))

    def finish(self) -> None:
        seconds = time.monotonic() - self._start
        counts = f"{format_figure(self._completed)} {self._unit}"
        self._write(f"{counts} in {format_seconds(seconds)}, {self._rate(seconds)}")

    def _under_way(self, now: float) -> str:
        seconds = now - self._start
        if self._total is None:
            return f"{format_figure(self._completed)} {self._unit}, {self._rate(seconds)}"
        counts = f"{format_figure(self._completed)}/{format_figure(self._total)} {self._unit}"
        share = 100 * self._completed / self._total if self._total else 100
        done = self._completed - self._completed_before
        left = seconds / done * max(self._total - self._completed, 0) if done else None
        time_left = f", {format_seconds(left)} left" if left is not None else ""
        return f"{counts} ({share:.0f} %), {self._rate(seconds)}{time_left}"

    def _rate(self, seconds: float) -> str:
        return format_rate((self._completed - self._completed_before) / max(seconds, 1e-9), self._unit)

    def _write(self, text: str) -> None:
        figures = format_figures(self._figures)
        print(f"{self._description}: {text}{', ' if figures else ''}{figures}", file=self._stream, flush=True)


class _Bars:
    """Bars of the rich package, drawn while at least one task is under way."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._display: Any = None
        self._num_tasks = 0
        self._lock = threading.Lock()

    @property
    def are_shown(self) -> bool:
        return self._display is not None

    def print(self, text: str) -> None:
        self._display.console.print(text, markup=False, highlight=False)

    @contextlib.contextmanager
    def task(self, description: str, total: float | None, unit: str, completed: float) -> Iterator[Task]:
        with self._lock:
            if self._display is None:
                self._display = _bar_display(self._stream)
                self._display.start()
            self._num_tasks += 1
            display = self._display
        task_id = display.add_task(description, total=total, completed=completed, unit=unit, figures="")
        try:
            yield _Bar(display, task_id)
        finally:
            with self._lock:
                self._num_tasks -= 1
                display.stop_task(task_id)
                if self._num_tasks == 0:
                    display.stop()
                    self._display = None


class _Bar(Task):
    """One bar."""

    def __init__(self, display: Any, task_id: Any):
        self._display, self._task_id = display, task_id
        self._figures: dict[str, Any] = {}

    def advance(self, n: float = 1, **figures: Any) -> None:
        self._figures.update(figures)
        self._display.update(self._task_id, advance=n, figures=format_figures(self._figures))


def _bar_display(stream: TextIO) -> Any:
    """Builds the bars; rich is imported here so that a process that shows none does not pay for it."""
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.text import Text

    class Counts(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> Text:
            total = "" if task.total is None else f"/{format_figure(task.total)}"
            return Text(f"{format_figure(task.completed)}{total} {task.fields['unit']}", style="progress.download")

    class Rate(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> Text:
            rate = task.finished_speed or task.speed
            return Text("" if rate is None else format_rate(rate, task.fields["unit"]), style="progress.data.speed")

    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=24),
        Counts(),
        Rate(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.fields[figures]}", markup=False),
        console=Console(file=stream),
    )


def format_figure(value: Any) -> str:
    """Writes a count with separators of thousands and a measure with four digits: 12,500 and 0.0312."""
    if not isinstance(value, numbers.Real):
        return str(value)
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_figures(figures: dict[str, Any]) -> str:
    """Writes figures as ``loss 2.41, accuracy 0.5``."""
    return ", ".join(f"{name} {format_figure(value)}" for name, value in figures.items())


def format_rate(rate: float, unit: str) -> str:
    """Writes units a second with three digits or more: ``2.35 steps/s``, ``14,200 tokens/s``."""
    return f"{rate:,.0f} {unit}/s" if rate >= 100 else f"{rate:.3g} {unit}/s"


def format_seconds(seconds: float) -> str:
    """Writes a duration as ``0.4 s``, ``1:05`` or ``2:03:10``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
