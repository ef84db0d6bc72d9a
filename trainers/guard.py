"""The guard: a loss that is no number any more, or explodes, is noticed within one logging interval."""

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import keras

from tfplm.data.batches import Batch, BatchSource
from tfplm.errors import UserError
from tfplm.training_configuration import GuardConfig

_WINDOW = 10  # intervals that a loss is compared with
_LEAST_HISTORY = 3  # intervals before anything counts as an explosion
_LEAST_RISE = 1.0  # nats: a loss near zero may grow threefold by chance


@dataclass(eq=False)
class Diverged(Exception):  # noqa: N818 – caught by the training, which may go on behind the window
    """Training has diverged in an interval.

    Args:
        reason: in words.
        step: optimizer steps done.
        learning_rate: at the last of them.
        first_step: the first batch of the interval, counted from 0 as ``BatchSource.batch`` does.
        last_step: the last batch of the interval.
        losses: of the intervals before, the newest last, and of this one.
    """

    reason: str
    step: int
    learning_rate: float
    first_step: int
    last_step: int
    losses: list[float]

    def __str__(self) -> str:
        return f"{self.reason} after step {self.step}, at a learning rate of {self.learning_rate:.3g}"

    def record(self) -> dict:
        """For the report; JSON has no numbers that are none, so they stand as words."""
        losses = [loss if math.isfinite(loss) else str(loss) for loss in self.losses]
        return {
            "reason": self.reason,
            "step": self.step,
            "learning_rate": self.learning_rate,
            "first_step": self.first_step,
            "last_step": self.last_step,
            "losses": losses,
        }


class Guard(keras.callbacks.Callback):
    """Raises Diverged at the end of an interval whose loss or last gradient is no number, or whose loss exploded.

    A loss explodes when it is over ``explosion_factor`` times the median of the last ten intervals, and at least one
    nat over it; three intervals have to be there. The steep fall at the beginning raises that median, and so does no
    harm. Place it behind the callback that writes the figures down and before those that save checkpoints.

    Args:
        config: its settings.
        first_step: optimizer steps done before.
        losses: of the intervals done before.
    """

    def __init__(self, config: GuardConfig, first_step: int = 0, losses: Iterable[float] = ()):
        super().__init__()
        self._config = config
        self._step = self._interval_begin = first_step
        self._losses = [*losses][-_WINDOW:]

    def on_epoch_begin(self, epoch, logs=None):
        self._interval_begin = self._step

    def on_train_batch_end(self, batch, logs=None):
        self._step = self._interval_begin + batch + 1

    def on_epoch_end(self, epoch, logs=None):
        loss = float(logs["loss"])
        optimizer = self.model.optimizer
        reason = self._fault(loss, _gradient_norm(optimizer))
        if reason is not None:
            raise Diverged(
                reason,
                step=self._step,
                learning_rate=float(optimizer.learning_rate),
                first_step=self._interval_begin,
                last_step=self._step - 1,
                losses=[*self._losses, loss],
            )
        self._losses = [*self._losses, loss][-_WINDOW:]

    def _fault(self, loss: float, gradient_norm: float) -> str | None:
        if not math.isfinite(loss):
            return f"The loss is {loss}"
        if not math.isfinite(gradient_norm):
            return f"The loss is {loss:.4g}, but the norm of its gradient is {gradient_norm}"
        if len(self._losses) < _LEAST_HISTORY:
            return None
        median = statistics.median(self._losses)
        if loss > self._config.explosion_factor * median and loss - median > _LEAST_RISE:
            return f"The loss has risen to {loss:.4g}, from a median of {median:.4g} over the last intervals,"
        return None


def _gradient_norm(optimizer: keras.optimizers.Optimizer) -> float:
    """Of the last step; loss scaling skips gradients that are no numbers, so its optimizer never sees any."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return float(inner.gradient_norm.numpy()) if hasattr(inner, "gradient_norm") else 0.0


@dataclass(frozen=True)
class Suspects:
    """Which batches a divergence may come from.

    Args:
        first_step: of the batches, counted from 0.
        last_step: of the batches.
        rows: the row numbers of the one batch whose loss is no number; None where no single batch is to blame.
    """

    first_step: int
    last_step: int
    rows: list[int] | None

    def __str__(self) -> str:
        if self.rows is not None:
            rows = ", ".join(map(str, self.rows))
            return f"The loss on the batch of step {self.first_step + 1} is no number; its rows: {rows}."
        return (
            f"No single batch is to blame for it: it came about in the steps {self.first_step + 1} to "
            f"{self.last_step + 1}."
        )

    def record(self) -> dict:
        """For the report."""
        return {"first_step": self.first_step, "last_step": self.last_step, "rows": self.rows}


def find_suspects(
    source: BatchSource,
    first_step: int,
    last_step: int,
    loss_of: Callable[[Batch], float],
) -> Suspects:
    """Looks for the first batch of a window whose loss is no number.

    The model should have weights from before the window, of the last good checkpoint: broken weights give no number on
    any batch. Then, and where every batch is sound and it is the steps that led astray, the whole window is named.

    Args:
        source: of the batches.
        first_step: of the window, counted from 0.
        last_step: of the window.
        loss_of: the loss of a batch, without training on it.
    """
    is_bad = [not math.isfinite(loss_of(source.batch(step))) for step in range(first_step, last_step + 1)]
    if not any(is_bad) or (all(is_bad) and len(is_bad) > 1):
        return Suspects(first_step, last_step, None)
    step = first_step + is_bad.index(True)
    return Suspects(step, step, [int(row) for row in source.row_numbers(step)])


def divergence_error(diverged: Diverged, suspects: Suspects) -> UserError:
    """What a person is told when the training stops."""
    return UserError(
        f"Training has diverged. {diverged}.",
        str(suspects),
        "Lower optimizer.learning_rate or raise warmup_fraction; look at these rows where some are named; with "
        "guard.action: skip training goes back to the last good checkpoint and over this window.",
    )
