"""What happens around the steps of a run: progress, TensorBoard, checkpoints, early stopping."""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from trainers.checkpoints import CheckpointStore


class TrainingMonitor(keras.callbacks.Callback):
    """Writes TensorBoard, keeps the history and moves the progress bar.

    The figures are those of one interval (what Keras calls an epoch): loss and metrics, learning rate, gradient
    norm of the last step, and tokens a second of the training steps alone.

    Args:
        logs_folder: for TensorBoard.
        bar: the progress task; ``advance(steps, **figures)``.
        tokens_per_step: padding included, since that is what is computed.
        first_step: the step that training begins with.
        config_text: the resolved configuration, shown as text in TensorBoard.
    """

    def __init__(self, logs_folder: Path, bar, tokens_per_step: int, first_step: int = 0, config_text: str = ""):
        super().__init__()
        self.history: list[dict] = []
        self.seconds = 0.0
        self._bar, self._tokens_per_step, self._step = bar, tokens_per_step, first_step
        self._writer = tf.summary.create_file_writer(str(logs_folder))
        self._config_text = config_text
        self._interval_seconds = self._interval_steps = self._unreported = 0.0

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

    def text(self, name: str, markdown: str) -> None:
        """Shows a text in TensorBoard at the present step."""
        with self._writer.as_default(step=self._step):
            tf.summary.text(name, markdown)

    def close(self) -> None:
        self._writer.close()


def _tag(name: str) -> str:
    """TensorBoard's tag: validation figures under ``validation/``, the rest under ``train/``."""
    return f"validation/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"


class PeriodicCheckpoint(keras.callbacks.Callback):
    """Saves a checkpoint at the end of an interval when ``every`` steps have passed since the last one.

    Place it behind TrainingMonitor, whose history travels in the checkpoint.
    """

    def __init__(self, store: CheckpointStore, monitor: TrainingMonitor, every: int, extra: Callable[[], dict] = dict):
        super().__init__()
        self._store, self._monitor, self._every, self._extra = store, monitor, every, extra
        self._last = 0

    def on_train_begin(self, logs=None):
        self._last = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.optimizer.iterations)
        if step - self._last >= self._every:
            extra = {"history": self._monitor.history, "seconds": self._monitor.seconds, **self._extra()}
            self._store.save(step, self.model, extra)
            self._last = step


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
        self.best = self.best_epoch = None
        self._weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch, logs=None):
        value = float(logs[self.figure])
        # A tie goes to the later epoch, which has the lower loss more often than not.
        if self.best is None or self._sign * value >= self._sign * self.best:
            self.best, self.best_epoch = value, epoch
            self._weights = self.model.get_weights()
        elif self.patience is not None and epoch - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self._weights is not None:
            self.model.set_weights(self._weights)
