"""Figures that only whole answers have, behind every epoch."""

from collections.abc import Callable

import keras

from trainers.cluster import Connection


class AnsweredValidation(keras.callbacks.Callback):
    """Adds figures of the validation examples to those of an epoch, as ``val_NAME``.

    Args:
        figures: answers the examples and judges the answers.
        connection: to the other workers; all go by the figures of the first, whatever rounding makes of theirs.
    """

    def __init__(self, figures: Callable[[], dict[str, float]], connection: Connection):
        super().__init__()
        self._figures, self._connection = figures, connection

    def on_epoch_end(self, epoch, logs=None):
        found = self._connection.gather("validation figures", self._figures())[0]
        logs.update({f"val_{name}": value for name, value in found.items()})
