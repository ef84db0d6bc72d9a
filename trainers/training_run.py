"""One training from its last checkpoint to its end, whatever happens in between."""

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

import keras

from tfplm.data.batches import Batch, BatchSource
from tfplm.progress import Progress, Task
from tfplm.run_directory import RunDirectory, write_text
from tfplm.training_configuration import TrainingConfig
from trainers.callbacks import BestWeights, PeriodicCheckpoint, TrainingMonitor
from trainers.checkpoints import Checkpoint, CheckpointStore, metric_state
from trainers.cluster import Connection
from trainers.distribute import Workplace, distributed_dataset
from trainers.guard import Diverged, Guard, Suspects, divergence_error, find_suspects
from trainers.preemption import ContinuedInterval, PreemptionCheckpoint, PreemptionNotice, preemption_notice
from trainers.training_model import TrainingModel

DIVERGENCE_FILE = "divergence.json"


@dataclass(frozen=True)
class Intervals:
    """The steps of a training in intervals, which are Keras's epochs.

    Args:
        length: steps of an interval.
        count: of all.
        validated: the numbers, from 1, of the intervals that end with a validation.
    """

    length: int
    count: int
    validated: list[int]

    @property
    def steps(self) -> int:
        return self.length * self.count


@dataclass(frozen=True)
class CheckpointPlan:
    """When checkpoints are saved, always at the end of an interval, and what ranks them.

    Args:
        every_steps: at least.
        every_seconds: of training, at least.
        metric: the figure by which the best ones are known; None where there is none.
    """

    every_steps: int = 1
    every_seconds: float = 0.0
    metric: str | None = None


@dataclass
class TrainingRun:
    """Trains a model to its last step, from the newest checkpoint on.

    Args:
        model: compiled.
        config: of the training.
        batches: to train on.
        validation: with its number of batches; None where there is nothing to validate on.
        intervals: the steps.
        run: the run directory.
        store: its checkpoints.
        plan: when they are saved.
        workplace: the strategy, and which worker this is.
        progress: a tfplm.progress.Progress.
        description: what is trained, for the progress bar.
        tokens_per_step: padding included.
        flops_per_step: floating-point operations; None where they are not known.
        best: keeps the best weights, if wanted.
        leading_callbacks: that add to the figures before anything reads them.
        further_callbacks: that need the monitor.
    """

    model: TrainingModel
    config: TrainingConfig
    batches: BatchSource
    validation: tuple[BatchSource, int] | None
    intervals: Intervals
    run: RunDirectory
    store: CheckpointStore
    plan: CheckpointPlan
    workplace: Workplace
    progress: Progress
    description: str
    tokens_per_step: int
    flops_per_step: float | None = None
    best: BestWeights | None = None
    leading_callbacks: list[keras.callbacks.Callback] = field(default_factory=list)
    further_callbacks: Callable[[TrainingMonitor], list[keras.callbacks.Callback]] = lambda monitor: []
    skipped: list[dict] = field(default_factory=list, init=False)

    def fit(self) -> TrainingMonitor:
        """Trains; returns the monitor with the whole history.

        Raises:
            UserError: training has diverged and may not go on, or the disk is full.
            Preempted: SIGTERM came, and a checkpoint was saved.
        """
        with preemption_notice() as notice:
            while True:
                restored = self._restore()
                first_step = restored.step if restored else 0
                with self.progress.task(self.description, self.intervals.steps, "steps", first_step) as bar:
                    monitor = self._monitor(bar, restored)
                    try:
                        self._go_on(restored, monitor, notice)
                        break
                    except Diverged as diverged:
                        self._heed(diverged)
                    finally:
                        monitor.close()
        if self.config.keep_final_checkpoint:
            self._save(monitor)
        if self.best is not None:
            self.best.put_back(self.model)
        return monitor

    def clear_checkpoints(self) -> None:
        """Removes the checkpoints of a run that is done; that of the last step stays if it is wanted."""
        self.store.clear(but=self.store.steps()[-1] if self.config.keep_final_checkpoint else None)

    def _monitor(self, bar: Task, restored: Checkpoint | None) -> TrainingMonitor:
        return TrainingMonitor(
            self.run.logs if self.workplace.is_chief else None,
            bar,
            self.tokens_per_step,
            self.run.config.read_text(encoding="utf-8") if self.workplace.is_chief else "",
            restored,
            flops_per_step=self.flops_per_step,
            ceiling_flops=self.workplace.ceiling_flops() if self.flops_per_step else None,
            peak_flops=self.workplace.peak_flops() if self.flops_per_step else None,
            profile=self.config.profile,
            measure_energy=self.workplace.connection.num_workers == 1,
        )

    def _restore(self) -> Checkpoint | None:
        """The newest checkpoint, put into the model; where the guard may go back, there is always one."""
        restored = self.store.restore_latest(self.model)
        if restored is None:
            if self.workplace.is_chief:
                shutil.rmtree(self.run.logs, ignore_errors=True)
            if self.config.guard.action == "skip":
                best = self.best.state() if self.best is not None else {}
                beginning = {"history": [], "seconds": 0.0, "skipped": self.skipped} | best
                self.store.save(0, self.model, beginning)
                self.workplace.connection.barrier("the checkpoint of the beginning")
                restored = self.store.restore_latest(self.model)
        elif len(restored.extra["skipped"]) > len(self.skipped):
            self.skipped = restored.extra["skipped"]
        self.model.step = restored.step if restored else 0
        if restored is not None and restored.step:
            self.progress.message(
                f"{self.description}: going on from the checkpoint of step {restored.step} in {self.run.checkpoints}."
            )
        if restored is not None and self.best is not None:
            self.best.restore(restored)
        return restored

    def _go_on(self, restored: Checkpoint | None, monitor: TrainingMonitor, notice: PreemptionNotice) -> None:
        first_step = restored.step if restored else 0
        interval, done = divmod(first_step, self.intervals.length)
        if self.best is not None and self.best.is_over(interval - 1):
            return
        losses = [figures["loss"] for figures in monitor.history]
        callbacks = [
            *self.leading_callbacks,
            *([self.best] if self.best is not None else []),
            monitor,
            Guard(self.config.guard, first_step, losses),
            PeriodicCheckpoint(
                functools.partial(self._save, monitor), monitor, self.plan.every_steps, self.plan.every_seconds
            ),
            PreemptionCheckpoint(
                _AgreedNotice(notice, self.workplace.connection), functools.partial(self._save_before_the_end, monitor)
            ),
            *self.further_callbacks(monitor),
        ]
        if done:  # saved in the middle of an interval, which is brought to its end first
            continued = ContinuedInterval(restored.arrays)
            self._fit(first_step, interval, interval + 1, self.intervals.length - done, [continued, *callbacks])
            interval += 1
        end, length = self.intervals.count, self.intervals.length
        if interval < end and not self.model.stop_training:
            self._fit(interval * length, interval, end, length, callbacks)

    def _fit(self, first_step: int, interval: int, end: int, steps: int, callbacks: list) -> None:
        strategy = self.workplace.strategy
        validation, num_batches = self.validation or (None, None)
        self.model.fit(
            distributed_dataset(strategy, self.batches, first_step + self._num_skipped, None),
            initial_epoch=interval,
            epochs=end,
            steps_per_epoch=steps,
            validation_data=distributed_dataset(strategy, validation, 0, num_batches) if validation else None,
            validation_steps=num_batches,
            validation_freq=self.intervals.validated,
            callbacks=callbacks,
            shuffle=False,  # the batches come shuffled
            verbose=0,
        )

    @property
    def _num_skipped(self) -> int:
        """Batches that are passed over: so much further is the position in the data than the optimizer's step."""
        return sum(window["last_step"] - window["first_step"] + 1 for window in self.skipped)

    def _save(self, monitor: TrainingMonitor, within_interval: bool = False) -> int:
        """Saves a checkpoint of the present step, and returns the step."""
        step = self.model.step
        extra, arrays = monitor.state() | {"skipped": self.skipped}, {}
        if self.best is not None:
            extra, arrays = extra | self.best.state(), self.best.arrays()
        if within_interval and step % self.intervals.length:
            arrays = arrays | metric_state(self.model)
        metric = monitor.history[-1].get(self.plan.metric) if self.plan.metric and monitor.history else None
        self.store.save(step, self.model, extra, arrays, metric)
        return step

    def _save_before_the_end(self, monitor: TrainingMonitor) -> int:
        step = self._save(monitor, within_interval=True)
        self.workplace.connection.barrier("the checkpoint before the end")  # of the chief
        return step

    def _heed(self, diverged: Diverged) -> None:
        """Passes over the window, if the guard is to, or raises UserError with what is known about it."""
        if self.config.guard.action == "skip" and len(self.skipped) < self.config.guard.max_skips:
            last_good = self.store.restore_latest(self.model).step
            window = {"first_step": last_good + self._num_skipped, "last_step": diverged.last_step + self._num_skipped}
            self.skipped = [*self.skipped, diverged.record() | window]
            self.progress.message(f"{diverged}: going back to step {last_good}, and over the batches since then.")
            return
        suspects = self._suspects(diverged)
        if self.workplace.is_chief:
            record = {"divergence": diverged.record(), "suspects": suspects.record(), "skipped": self.skipped}
            write_text(self.run.path / DIVERGENCE_FILE, json.dumps(record, indent=2) + "\n")
        raise divergence_error(diverged, suspects) from diverged

    def _suspects(self, diverged: Diverged) -> Suspects:
        self.store.restore_latest(self.model)  # weights from before the window, if there are any
        first, last = diverged.first_step + self._num_skipped, diverged.last_step + self._num_skipped
        return find_suspects(self.batches, first, last, self._loss_of)

    def _loss_of(self, batch: Batch) -> float:
        return float(self.model.loss_of_batch(batch))


@dataclass(frozen=True)
class _AgreedNotice:
    """A notice that all workers heed behind the same step, whichever of them was given it."""

    notice: PreemptionNotice
    connection: Connection

    @property
    def is_given(self) -> bool:
        return any(self.connection.gather("preemption", self.notice.is_given))
