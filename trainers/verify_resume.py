"""Proof that a stage resumes to the bit: killed at random points until it ends, it equals an unbroken run.

The stage runs in processes of their own, which are killed while TensorFlow starts, in the middle of a step, while a
checkpoint is written, and while the model and the report are written.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from tfplm.config import dump_config
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.failures import PREEMPTED
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory, write_text
from trainers.run_difference import RunDifference, compare_runs
from trainers.watched_stage import WatchedStage

Stage = Literal["pretrain", "finetune"]
_BEFORE: dict[Stage, tuple[str, ...]] = {
    "pretrain": ("tokenizer", "corpus"),
    "finetune": ("tokenizer", "corpus", "pretrain"),
}
_CODE_OF_SIGNAL = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: PREEMPTED}  # of a process that heeds it
_SECONDS_OF_WRITING = 0.005  # of a small checkpoint: the kill comes somewhere within
_SECONDS_PER_BYTE = 2e-9  # of a large one
_MOST_WAITING_FOR_A_CHECKPOINT = 0.25  # of all steps; then the kill comes without one
_LOOK_EVERY = 0.0005  # seconds, for a checkpoint that is being written
_SHOWN_DIFFERENCES = 20
_MOST_IDLE_ROUNDS = 2  # rounds without a kill that came in time


@dataclass(frozen=True)
class PlannedKill:
    """Where a kill is to come.

    Args:
        moment: "start" is before the first step, "end" behind the last one.
        share: of the steps that the process has to do, done before.
        sign: SIGKILL or SIGTERM.
    """

    moment: Literal["start", "step", "checkpoint", "end"]
    share: float
    sign: signal.Signals = signal.SIGKILL


@dataclass(frozen=True)
class Kill:
    """A kill that came in time.

    Args:
        number: from 1.
        sign: "SIGKILL" or "SIGTERM".
        where: in words.
        step: steps done, of all tasks of the stage.
        resumed_from: the step that the next process went on from; None where the stage was done already.
    """

    number: int
    sign: str
    where: str
    step: int
    resumed_from: int | None = None


@dataclass
class Verification:
    """The outcome.

    Args:
        stage: that was killed.
        steps: of the unbroken run, of all its tasks.
        rounds: runs that were killed until they ended.
        kills: in order.
        compared: what was compared, and what differs.
        repeatable: whether a second unbroken run equals the first; None where it was not needed.
        kept: the folder of the runs, kept where they differ.
    """

    stage: Stage
    steps: int
    rounds: int = 0
    kills: list[Kill] = field(default_factory=list)
    compared: RunDifference = field(default_factory=RunDifference)
    repeatable: bool | None = None
    kept: str | None = None

    @property
    def has_passed(self) -> bool:
        return not self.compared.differences

    def record(self) -> dict:
        """For a JSON file."""
        return {"passed": self.has_passed, **asdict(self)}

    def table(self) -> str:
        """For a terminal."""
        rows = [("kill", "signal", "where", "step", "resumed from")]
        for kill in self.kills:
            resumed = "–" if kill.resumed_from is None else str(kill.resumed_from)
            rows.append((str(kill.number), kill.sign, kill.where, str(kill.step), resumed))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        compared = self.compared
        state = (
            f"{compared.state} tensors of the last checkpoint" if compared.state else "no checkpoint (none was kept)"
        )
        lines += ["", f"Compared: {compared.weights} weight arrays, {state}, {compared.figures} figures."]
        lines += [f"  {difference}" for difference in compared.differences[:_SHOWN_DIFFERENCES]]
        if self.repeatable is False:
            lines.append("Two unbroken runs differ too: it is the training that does not repeat, not the resuming.")
        if self.kept:
            lines.append(f"The runs are kept in {self.kept}.")
        counts = f"{len(self.kills)} kills, {self.steps} steps"
        if self.has_passed:
            lines.append(f"PASS: {counts}, bit-identical to the unbroken run.")
        else:
            lines.append(f"FAIL: {counts}, {len(compared.differences)} differences.")
        return "\n".join(lines)


def verify_resume(
    experiment: ExperimentConfig, stage: Stage, kills: int, seed: int, progress: Progress, with_sigterm: bool = False
) -> Verification:
    """Runs the stage unbroken, then killed at random points, in a temporary folder beside ``output_dir``.

    The stages before it are taken from ``output_dir`` where they are done there. The outcome is written to
    ``output_dir/verify-resume-<stage>.json`` too.

    Args:
        experiment: the configuration.
        stage: to be killed.
        kills: how many.
        seed: of the points.
        progress: takes a message for every kill.
        with_sigterm: every fourth kill is a SIGTERM.

    Raises:
        UserError: the stage fails by itself, or is over before a kill can come.
    """
    output = Path(experiment.output_dir)
    output.absolute().parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.verify-resume-", dir=output.absolute().parent))
    keep = False
    try:
        verifier = _Verifier(experiment, stage, folder, random.Random(seed), progress)
        verification = verifier.verify(kills, with_sigterm)
        keep = not verification.has_passed
        verification.kept = str(folder) if keep else None
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(verification.record(), indent=2, ensure_ascii=False)
    write_text(output / f"verify-resume-{stage}.json", f"{text}\n")
    return verification


def plan_kills(number: int, rng: random.Random, with_sigterm: bool = False) -> list[PlannedKill]:
    """Kills at points that are spread evenly over the steps, each as a share of what the ones before it have left.

    Every second one comes while a checkpoint is written; from four on the first comes before the first step, and the
    last behind the last.
    """
    outer = 1 if number >= 4 else 0
    inner = [
        # The first of as many random points as are left.
        PlannedKill(
            "checkpoint" if index % 2 else "step", 1.0 - rng.random() ** (1.0 / left), _sign(index, with_sigterm)
        )
        for index, left in enumerate(range(number - 2 * outer, 0, -1))
    ]
    return [PlannedKill("start", 0.0)] * outer + inner + [PlannedKill("end", 1.0)] * outer


def _sign(index: int, with_sigterm: bool) -> signal.Signals:
    return signal.SIGTERM if with_sigterm and index % 4 == 0 else signal.SIGKILL


class _Verifier:
    """Runs, kills and compares; see `verify_resume`."""

    def __init__(
        self, experiment: ExperimentConfig, stage: Stage, folder: Path, rng: random.Random, progress: Progress
    ):
        self._experiment, self._stage, self._folder = experiment, stage, folder
        self._rng, self._progress = rng, progress
        self._processes = 0

    def verify(self, kills: int, with_sigterm: bool) -> Verification:
        unbroken = self._new_run("unbroken", Path(self._experiment.output_dir))
        self._progress.message("Running the stage unbroken.")
        self._learn(unbroken)
        result = Verification(self._stage, sum(self._steps.values()))
        idle = 0
        while len(result.kills) < kills:
            result.rounds += 1
            before = len(result.kills)
            killed = self._new_run(f"killed-{result.rounds}", unbroken)
            self._kill_until_it_ends(killed, plan_kills(kills - before, self._rng, with_sigterm), result)
            result.compared.add(self._compare(unbroken, killed))
            idle = idle + 1 if len(result.kills) == before else 0
            if idle == _MOST_IDLE_ROUNDS:
                raise UserError(
                    f"The stage is over before a kill can come: it takes {self._seconds_of_step * result.steps:.1f} s.",
                    remedy="Give it more steps or epochs.",
                )
        if not result.has_passed:
            again = self._new_run("unbroken-again", unbroken)
            self._progress.message("There are differences: running the stage unbroken once more.")
            with self._start(again) as process:
                self._finish(process)
            result.repeatable = not self._compare(unbroken, again).differences
        return result

    def _new_run(self, name: str, origin: Path) -> Path:
        """An output folder with the finished stages of another one before this stage, and its configuration beside."""
        output = self._folder / name
        output.mkdir()
        for part in _BEFORE[self._stage]:
            if RunDirectory(origin / part).is_complete():
                shutil.copytree(origin / part, output / part, copy_function=_link)
        section = getattr(self._experiment, self._stage).model_copy(update={"keep_final_checkpoint": True})
        experiment = self._experiment.model_copy(update={"output_dir": str(output), self._stage: section})
        write_text(self._folder / f"{name}.yaml", dump_config(experiment))
        return output

    def _start(self, output: Path) -> WatchedStage:
        self._processes += 1
        log = self._folder / f"{self._processes:03d}-{output.name}.log"
        return WatchedStage(self._folder / f"{output.name}.yaml", self._stage, log)

    def _learn(self, output: Path) -> None:
        """Runs the stage unbroken, and learns how long its parts take."""
        began = time.monotonic()
        with self._start(output) as process:
            process.wait_until(lambda: bool(process.done))
            first = time.monotonic()
            process.wait_until(lambda: False)
            last = process.told_last or first
            self._finish(process)
            self._seconds_at_end = time.monotonic() - last
            self._steps = dict(process.done)
        if not sum(self._steps.values()):
            raise UserError("The stage has no steps.", remedy="Give it another output_dir, or more steps.")
        self._seconds_of_start = first - began
        self._seconds_of_step = (last - first) / sum(self._steps.values())
        sizes = [path.stat().st_size for path in output.rglob("step-*/*.safetensors")]
        self._seconds_of_writing = _SECONDS_OF_WRITING + _SECONDS_PER_BYTE * max(sizes, default=0)

    def _finish(self, process: WatchedStage) -> None:
        """Waits for the end of a process that nobody has killed. Raises UserError when it failed."""
        if code := process.end():
            _, _, message = process.messages().rpartition("\nerror: ")
            raise UserError(f"The stage ends with the exit code {code} by itself: {message.strip()[-2000:]}")

    def _kill_until_it_ends(self, output: Path, plan: list[PlannedKill], result: Verification) -> None:
        for planned in plan:
            with self._start(output) as process:
                kill = self._kill(process, output, planned, len(result.kills) + 1)
                self._note_resumed(process, result)
                if kill is None:
                    return
            result.kills.append(kill)
            self._progress.message(f"Kill {kill.number}: {kill.sign} {kill.where}, step {kill.step}.")
        with self._start(output) as process:
            self._finish(process)
            self._note_resumed(process, result)

    def _kill(self, process: WatchedStage, output: Path, planned: PlannedKill, number: int) -> Kill | None:
        """Kills the process at its point; None where it ended before."""
        if not self._wait(process, output, planned):
            self._finish(process)
            return None
        process.process.send_signal(planned.sign)
        code = process.end()
        if code not in (-planned.sign, _CODE_OF_SIGNAL[planned.sign]):
            self._finish(process)
            return None
        return Kill(number, planned.sign.name, self._where(process, output), self._position(process))

    def _wait(self, process: WatchedStage, output: Path, planned: PlannedKill) -> bool:
        """Waits for the point of a kill; False when the process ends before it."""
        if planned.moment == "start":
            seconds = self._rng.uniform(0.0, self._seconds_of_start)
            return not _over_within(process, seconds, or_when=lambda: bool(process.done))
        if not process.wait_until(lambda: bool(process.done)):
            return False
        begin, last = self._begin(process), sum(self._steps.values())
        target = begin + max(1, round(planned.share * (last - begin)))
        if not process.wait_until(lambda: self._position(process) >= min(target, last)):
            return False
        if planned.moment == "end":
            return not _over_within(process, self._rng.uniform(0.0, self._seconds_at_end))
        if planned.moment == "checkpoint":
            patience = target + last * _MOST_WAITING_FOR_A_CHECKPOINT
            while not self._is_writing(output) and self._position(process) < patience and not process.is_over:
                time.sleep(_LOOK_EVERY)
            return not _over_within(process, self._rng.uniform(0.0, self._seconds_of_writing))
        return not _over_within(process, self._rng.uniform(0.0, self._seconds_of_step))

    def _begin(self, process: WatchedStage) -> int:
        """The step that the process has gone on from, of all tasks of the stage."""
        task, done = next(iter(process.begun.items()))
        return self._steps_before(task) + done

    def _position(self, process: WatchedStage) -> int:
        """Steps done of all tasks of the stage, those of earlier processes too."""
        if not process.done:
            return 0
        task = list(process.done)[-1]
        return self._steps_before(task) + process.done[task]

    def _steps_before(self, task: str) -> int:
        names = list(self._steps)
        return sum(self._steps[name] for name in names[: names.index(task)])

    def _where(self, process: WatchedStage, output: Path) -> str:
        if self._is_writing(output):
            return "while a checkpoint was written"
        if not process.done:
            return "before the first step"
        if self._position(process) == sum(self._steps.values()):
            return "behind the last step"
        return "between or in steps"

    def _note_resumed(self, process: WatchedStage, result: Verification) -> None:
        """Writes down where the process went on that followed the last kill."""
        if result.kills and result.kills[-1].resumed_from is None and process.begun:
            result.kills[-1] = replace(result.kills[-1], resumed_from=self._begin(process))

    def _is_writing(self, output: Path) -> bool:
        return any(
            name.startswith(".step-")
            for folder in self._run_folders(output)
            for name in _names_in(folder / "checkpoints")
        )

    def _run_folders(self, output: Path) -> list[Path]:
        if self._stage == "pretrain":
            return [output / "pretrain"]
        finetune = self._experiment.finetune
        return [output / "finetune" / name / f"seed-{seed}" for name in finetune.candidates for seed in finetune.seeds]

    def _compare(self, left: Path, right: Path) -> RunDifference:
        result = RunDifference()
        for one, other in zip(self._run_folders(left), self._run_folders(right), strict=True):
            result.add(compare_runs(one, other))
        return result


def _over_within(process: WatchedStage, seconds: float, or_when: Callable[[], bool] = lambda: False) -> bool:
    """Waits so many seconds, or until something happens; whether the process has ended by then."""
    end = time.monotonic() + seconds
    while not (process.is_over or or_when()) and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_EVERY))
    return process.is_over


def _names_in(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name


def _link(source: str, target: str) -> None:
    """No copy where the file system can do without: a finished stage is not written to."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
