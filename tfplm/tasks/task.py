"""What every task offers to plain Keras and to the training engine."""

from abc import abstractmethod
from typing import Any, NamedTuple

import keras
from keras import KerasTensor


class Scores(NamedTuple):
    """What a task makes of a batch whose targets it knows. Every tensor begins with the batch axis."""

    losses: dict[str, KerasTensor]  # by output: the weighted loss of every target
    metrics: dict[str, tuple[KerasTensor, ...]]  # by metric: the arguments of its update_state


class Task(keras.Model):
    """An encoder with the head, the losses and the metrics of one objective.

    There are two ways to train it. Plain Keras: `compile_for_training` (or `compile` with `build_loss` and
    `build_metrics`) and `fit` take the outputs of `call`. The training engine calls `score`, which never needs all
    logits at once, and divides the sums of the losses by the sums of `normalizers`, over all devices and micro-batches
    of a step: the loss is the same however the batch is spread.
    """

    @abstractmethod
    def build_loss(self) -> Any:
        """Losses for `compile`."""

    @abstractmethod
    def build_metrics(self) -> Any:
        """Weighted metrics for `compile`."""

    @abstractmethod
    def score(self, inputs: dict, targets: Any, weights: Any, training: bool) -> Scores:
        """Losses of every target, and what the metrics of `build_score_metrics` take.

        Args:
            inputs: as `call` takes them.
            targets: as `fit` takes them.
            weights: sample weights, as `fit` takes them.
            training: whether dropout is applied.
        """

    @abstractmethod
    def normalizers(self, weights: Any) -> dict[str, KerasTensor]:
        """By output, what the sum of its losses is divided by once it is summed over the whole batch: a scalar."""

    @abstractmethod
    def build_score_metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of `score`, with the names that they have there and in the logs."""

    def compile_for_training(self, optimizer: keras.optimizers.Optimizer, jit_compile: bool | str = "auto", **kwargs):
        """Plain `compile` with the losses and the weighted metrics of the task."""
        self.compile(
            optimizer=optimizer,
            loss=self.build_loss(),
            weighted_metrics=self.build_metrics(),
            jit_compile=jit_compile,
            **kwargs,
        )
