"""What happens around the steps of a run: progress, TensorBoard, checkpoints, early stopping."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfplm.config import parse_yaml
from trainers.checkpoints import Checkpoint
from trainers.energy import EnergyMeter
from trainers.memory import memory_figures
from trainers.profiler import StepProfiler
from trainers.runtime import wait_for_devices
from trainers.tensorboard import TensorBoardLog

# The figures of an interval that come from the machine and not from the mathematics: they differ between equal runs.
MACHINE_FIGURES = frozenset(
    {
        "seconds",
        "tokens_per_second",
        "data_wait_share",
        "ceiling_share",
        "model_flop_utilization",
        "memory_mb",
        "peak_memory_mb",
        "gpu_peak_memory_mb",
        "joules",
        "watts",
        "joules_per_token",
    }
)
_SHOWN_ON_THE_BAR = ("loss", "val_loss", "tokens_per_second", "ceiling_share", "model_flop_utilization")


@dataclass(frozen=True)
class _Moment:
    """How far the training was at one time."""

    time: float  # seconds
    step: int
    seconds_waiting: float | None  # for data; None where the model does not tell
    joules: float | None


class TrainingMonitor(keras.callbacks.Callback):
    """Writes TensorBoard, keeps the history and moves the progress bar.

    The figures are those of one interval (what Keras calls an epoch): loss and metrics, learning rate, norms of the
    gradient and the weights at its last step, and what the machine did (`MACHINE_FIGURES`) during the training steps
    alone, without validation. The first step of a process, which is traced and compiled, counts in the seconds but
    not in the rates. The devices are waited for after that step and at the end of an interval, not in between.

    Args:
        logs_folder: for TensorBoard; None writes nothing.
        bar: the progress task; ``advance(steps, **figures)``.
        tokens_per_step: of all replicas, padding included, since that is what is computed.
        config_text: the resolved configuration in YAML, shown as text and in the HParams tab of TensorBoard.
        restored: the checkpoint that training goes on from, written with ``state()`` in it.
        flops_per_step: floating-point operations of a training step on all replicas.
        ceiling_flops: operations a second of large matrix products on these devices, as measured.
        peak_flops: operations a second of these devices by their maker.
        profile: first and last step, from 1, of a trace for TensorBoard.
        measure_energy: whether the counters of this machine cover the whole training.

    Attributes:
        history: the figures of every interval, and the step that it ended with.
        seconds: time of the training steps.
    """

    def __init__(
        self,
        logs_folder: Path | None,
        bar,
        tokens_per_step: int,
        config_text: str = "",
        restored: Checkpoint | None = None,
        *,
        flops_per_step: float | None = None,
        ceiling_flops: float | None = None,
        peak_flops: float | None = None,
        profile: tuple[int, int] | None = None,
        measure_energy: bool = True,
    ):
        super().__init__()
        self.history: list[dict] = list(restored.extra["history"]) if restored else []
        self.seconds: float = restored.extra["seconds"] if restored else 0.0
        self._bar, self._tokens_per_step = bar, tokens_per_step
        self._flops_per_step, self._ceiling_flops, self._peak_flops = flops_per_step, ceiling_flops, peak_flops
        self._step = restored.step if restored else 0
        self._log, self._config_text = TensorBoardLog(logs_folder), config_text
        self._energy = EnergyMeter() if measure_energy else None
        self._profiler = StepProfiler(logs_folder, *profile) if profile and logs_folder else None
        self._is_compiled = self._is_done = False
        self._began: _Moment | None = None  # of the interval under way
        self._ended: _Moment | None = None
        self._seconds_profiling = 0.0  # spent on starting and writing a trace, which is no training
        self._last_step_figures: dict[str, float] = {}
        self._weights_norm: Callable[[], tf.Tensor] | None = None

    def on_train_begin(self, logs=None):
        self._is_done = False
        self._log.text(self._step, "configuration", f"```yaml\n{self._config_text}\n```")
        self._log.hyper_parameters(parse_yaml(self._config_text, "the configuration") or {})
        if self._energy is not None and self._energy.sources:
            self._log.text(self._step, "energy_sources", "\n".join(f"- {name}" for name in self._energy.sources))
        self._weights_norm = _compiled_norm(self.model.trainable_variables)

    def on_epoch_begin(self, epoch, logs=None):
        self._began = self._rates_begin = self._moment()
        self._ended = None

    def on_train_batch_begin(self, batch, logs=None):
        if self._profiler is not None:
            began = time.perf_counter()
            self._profiler.before_step(self._step + 1)
            self._seconds_profiling += time.perf_counter() - began

    def on_train_batch_end(self, batch, logs=None):
        step = self._began.step + batch + 1
        self._bar.advance(step - self._step)
        self._step = step
        if not self._is_compiled:
            self._is_compiled = True
            wait_for_devices()
            self._rates_begin = self._moment()
        if batch + 1 == self.params.get("steps"):
            self._end_interval()
        if self._energy is not None:
            self._energy.sample()
        if self._profiler is not None:
            began = time.perf_counter()
            self._profiler.after_step(step)
            self._seconds_profiling += time.perf_counter() - began

    def on_test_begin(self, logs=None):
        self._end_interval()

    def on_epoch_end(self, epoch, logs=None):
        self._end_interval()
        figures = {name: float(value) for name, value in (logs or {}).items()}
        figures |= self._last_step_figures | {"parameter_norm": float(self._weights_norm())}
        figures |= self._machine_figures() | memory_figures()
        self.history.append({"step": self._step, **figures})
        self._log.scalars(self._step, {_tag(name): value for name, value in figures.items()})
        self._bar.advance(0, **{name: figures[name] for name in _SHOWN_ON_THE_BAR if name in figures})

    def on_train_end(self, logs=None):
        self._is_done = True

    def state(self) -> dict:
        """What a checkpoint has to keep of it; one that is saved within an interval has its seconds so far."""
        is_within = self._began is not None and self._ended is None
        within = self._moment().time - self._began.time if is_within else 0.0
        return {"history": self.history, "seconds": self.seconds + within}

    def text(self, name: str, markdown: str) -> None:
        """Shows a text in TensorBoard at the present step."""
        self._log.text(self._step, name, markdown)

    def close(self) -> None:
        """Ends TensorBoard's run, with the trace if one is under way."""
        if self._profiler is not None:
            self._profiler.close()
        if self._is_done:
            self._log.finish()
        self._log.close()

    def _moment(self) -> _Moment:
        return _Moment(
            time.perf_counter() - self._seconds_profiling,
            self._step,
            getattr(self.model, "seconds_waiting", None),
            self._energy.joules() if self._energy is not None else None,
        )

    def _end_interval(self) -> None:
        """Stops the clock, once an interval: behind its last step, or else before what comes next."""
        if self._ended is None:
            wait_for_devices()
            self._last_step_figures = self._optimizer_figures()  # this waits too, where several workers are connected
            self._ended = self._moment()
            self.seconds += self._ended.time - self._began.time

    def _optimizer_figures(self) -> dict[str, float]:
        optimizer = self.model.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
        figures = {
            "learning_rate": float(optimizer.learning_rate),
            "gradient_norm": float(inner.gradient_norm.numpy()),
        }
        if inner is not optimizer:
            figures["loss_scale"] = float(optimizer.dynamic_scale.numpy())
        return figures

    def _machine_figures(self) -> dict[str, float]:
        """Time and rates of the interval; a rate that is not known is left out."""
        begin, end = self._rates_begin, self._ended
        figures = {"seconds": end.time - self._began.time}
        steps, seconds = end.step - begin.step, end.time - begin.time
        if not steps or seconds <= 0:
            return figures
        tokens = self._tokens_per_step * steps
        figures["tokens_per_second"] = tokens / seconds
        if self._flops_per_step is not None:
            flops = self._flops_per_step * steps / seconds
            if self._ceiling_flops is not None:
                figures["ceiling_share"] = flops / self._ceiling_flops
            if self._peak_flops is not None:
                figures["model_flop_utilization"] = flops / self._peak_flops
        if end.seconds_waiting is not None:
            figures["data_wait_share"] = (end.seconds_waiting - begin.seconds_waiting) / seconds
        if end.joules is not None and begin.joules is not None:
            joules = end.joules - begin.joules
            figures |= {"joules": joules, "watts": joules / seconds, "joules_per_token": joules / tokens}
        return figures


def _compiled_norm(variables: list[keras.Variable]) -> Callable[[], tf.Tensor]:
    """A function of nothing: the global norm of the variables, computed in float32."""

    @tf.function
    def norm() -> tf.Tensor:
        return tf.linalg.global_norm([tf.cast(variable.value, tf.float32) for variable in variables])

    return norm


def _tag(name: str) -> str:
    """TensorBoard's tag: validation figures under ``validation/``, the machine's under ``machine/``, or ``train/``."""
    if name.startswith("val_"):
        return f"validation/{name.removeprefix('val_')}"
    return f"machine/{name}" if name in MACHINE_FIGURES else f"train/{name}"


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch by a validation figure and stops when it has not come for a while.

    Args:
        figure: a key of the logs, such as "val_accuracy".
        maximize: whether more is better.
        patience: epochs without a better figure before training stops; None never stops.
    """

    def __init__(self, figure: str, maximize: bool, patience: int | None):
        super().__init__()
        self.figure, self._sign, self.patience = figure, 1.0 if maximize else -1.0, patience
        self.best: float | None = None
        self.best_epoch: int | None = None
        self._weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch, logs=None):
        value = float(logs[self.figure])
        # A tie goes to the later epoch, which has the lower loss more often than not.
        if self.best is None or self._sign * value >= self._sign * self.best:
            self.best, self.best_epoch = value, epoch
            self._weights = self.model.get_weights()
        elif self.is_over(epoch):
            self.model.stop_training = True

    def is_over(self, epoch: int) -> bool:
        """Whether training ends with ``epoch``, since no better one has come for so long."""
        return self.patience is not None and self.best_epoch is not None and epoch - self.best_epoch >= self.patience

    def put_back(self, model: keras.Model) -> None:
        """Gives ``model`` the best weights, if there are any."""
        if self._weights:
            model.set_weights(self._weights)

    def state(self) -> dict:
        """What a checkpoint has to keep of it, beside its arrays."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def arrays(self) -> dict[str, np.ndarray]:
        """The best weights by name, for a checkpoint."""
        return {f"best/{index:04d}": array for index, array in enumerate(self._weights)}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on with the best epoch that a checkpoint was written with."""
        self.best, self.best_epoch = checkpoint.extra["best"], checkpoint.extra["best_epoch"]
        names = sorted(name for name in checkpoint.arrays if name.startswith("best/"))
        self._weights = [checkpoint.arrays[name] for name in names]


class PeriodicCheckpoint(keras.callbacks.Callback):
    """Saves a checkpoint at the end of an interval, when enough steps and seconds have passed since the last one.

    Place it behind the callbacks whose state travels in the checkpoint, and behind the guard.

    Args:
        save: writes a checkpoint of the present step.
        monitor: whose clock counts.
        every_steps: of the optimizer, at least.
        every_seconds: of training, at least.
    """

    def __init__(
        self, save: Callable[[], object], monitor: TrainingMonitor, every_steps: int = 1, every_seconds: float = 0.0
    ):
        super().__init__()
        self._save, self._monitor = save, monitor
        self._every_steps, self._every_seconds = every_steps, every_seconds

    def on_train_begin(self, logs=None):
        self._last_step, self._last_seconds = self.model.step, self._monitor.seconds

    def on_epoch_end(self, epoch, logs=None):
        step, seconds = self.model.step, self._monitor.seconds
        if step - self._last_step < self._every_steps or seconds - self._last_seconds < self._every_seconds:
            return
        self._save()
        self._last_step, self._last_seconds = step, seconds
