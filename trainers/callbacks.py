"""What happens around the steps of a run: progress, TensorBoard, checkpoints, early stopping."""

import math
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfplm.errors import UserError
from trainers.checkpoints import Checkpoint, CheckpointStore


class TrainingMonitor(keras.callbacks.Callback):
    """Writes TensorBoard, keeps the history and moves the progress bar.

    The figures are those of one interval (what Keras calls an epoch): loss and metrics, learning rate, gradient
    norm of the last step, and tokens a second of the training steps alone. A loss that is no number any more ends
    the training with a UserError.

    Args:
        logs_folder: for TensorBoard.
        bar: the progress task; ``advance(steps, **figures)``.
        tokens_per_step: padding included, since that is what is computed.
        config_text: the resolved configuration, shown as text in TensorBoard.
        restored: the checkpoint that training goes on from, written with ``state()`` in it.

    Attributes:
        history: the figures of every interval, and the step that it ended with.
        seconds: time of the training steps.
    """

    def __init__(
        self, logs_folder: Path, bar, tokens_per_step: int, config_text: str = "", restored: Checkpoint | None = None
    ):
        super().__init__()
        self.history: list[dict] = list(restored.extra["history"]) if restored else []
        self.seconds: float = restored.extra["seconds"] if restored else 0.0
        self._bar, self._tokens_per_step = bar, tokens_per_step
        self._step = restored.step if restored else 0
        self._writer = tf.summary.create_file_writer(str(logs_folder))
        self._config_text = config_text
        self._interval_seconds, self._interval_steps = 0.0, 0

    def on_train_begin(self, logs=None):
        with self._writer.as_default(step=self._step):
            tf.summary.text("configuration", f"```yaml\n{self._config_text}\n```")

    def on_epoch_begin(self, epoch, logs=None):
        self._interval_seconds, self._interval_steps = 0.0, 0

    def on_train_batch_begin(self, batch, logs=None):
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        elapsed = time.perf_counter() - self._began
        self._step += 1
        self._interval_seconds += elapsed
        self._interval_steps += 1
        self.seconds += elapsed
        self._bar.advance(1)

    def on_epoch_end(self, epoch, logs=None):
        figures = {name: float(value) for name, value in (logs or {}).items()}
        optimizer = self.model.optimizer
        figures["learning_rate"] = float(optimizer.learning_rate)
        figures["gradient_norm"] = float(optimizer.gradient_norm)
        if self._interval_seconds:
            figures["tokens_per_second"] = self._tokens_per_step * self._interval_steps / self._interval_seconds
        self.history.append({"step": self._step, **figures})
        with self._writer.as_default(step=self._step):
            for name, value in figures.items():
                tf.summary.scalar(_tag(name), value)
        self._writer.flush()
        self._bar.advance(0, **{k: v for k, v in figures.items() if k in ("loss", "val_loss", "tokens_per_second")})
        if not math.isfinite(figures["loss"]):
            raise UserError(
                f"The loss is {figures['loss']} after step {self._step}: training has diverged.",
                remedy="Lower optimizer.learning_rate, raise warmup_fraction, or set precision: float32.",
            )

    def state(self) -> dict:
        """What a checkpoint has to keep of it."""
        return {"history": self.history, "seconds": self.seconds}

    def text(self, name: str, markdown: str) -> None:
        """Shows a text in TensorBoard at the present step."""
        with self._writer.as_default(step=self._step):
            tf.summary.text(name, markdown)

    def close(self) -> None:
        self._writer.close()


def _tag(name: str) -> str:
    """TensorBoard's tag: validation figures under ``validation/``, the rest under ``train/``."""
    return f"validation/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"


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

    def on_train_end(self, logs=None):
        if self._weights:
            self.model.set_weights(self._weights)

    def state(self) -> dict:
        """What a checkpoint has to keep of it, beside its arrays."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def arrays(self) -> dict[str, np.ndarray]:
        """The best weights by name, for a checkpoint."""
        return {f"best/{index:04d}": array for index, array in enumerate(self._weights)}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on with the best epoch that a checkpoint was written with."""
        self.best, self.best_epoch = checkpoint.extra["best"], checkpoint.extra["best_epoch"]
        self._weights = [checkpoint.arrays[name] for name in sorted(checkpoint.arrays)]


class PeriodicCheckpoint(keras.callbacks.Callback):
    """Saves a checkpoint at the end of an interval, when enough steps and seconds have passed since the last one.

    Place it behind the callbacks whose state travels in the checkpoint.

    Args:
        store: where to.
        monitor: whose history and clock are kept.
        best: whose best weights are kept.
        every_steps: of the optimizer, at least.
        every_seconds: of training, at least.
    """

    def __init__(
        self,
        store: CheckpointStore,
        monitor: TrainingMonitor,
        best: BestWeights | None = None,
        every_steps: int = 1,
        every_seconds: float = 0.0,
    ):
        super().__init__()
        self._store, self._monitor, self._best = store, monitor, best
        self._every_steps, self._every_seconds = every_steps, every_seconds

    def on_train_begin(self, logs=None):
        self._last_step, self._last_seconds = int(self.model.optimizer.iterations), self._monitor.seconds

    def on_epoch_end(self, epoch, logs=None):
        step, seconds = int(self.model.optimizer.iterations), self._monitor.seconds
        if step - self._last_step < self._every_steps or seconds - self._last_seconds < self._every_seconds:
            return
        extra, arrays = self._monitor.state(), {}
        if self._best is not None:
            extra, arrays = extra | self._best.state(), self._best.arrays()
        self._store.save(step, self.model, extra, arrays)
        self._last_step, self._last_seconds = step, seconds
