"""What TensorBoard is shown of a run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams_api
from tensorboard.plugins.hparams import api_pb2, summary


class TensorBoardLog:
    """Writes event files.

    Args:
        folder: where to; None writes nothing.
    """

    def __init__(self, folder: Path | None):
        noop = tf.summary.create_noop_writer
        self._writer = noop() if folder is None else tf.summary.create_file_writer(str(folder))

    def scalars(self, step: int, figures: Mapping[str, float]) -> None:
        """Shows figures by their tags."""
        with self._writer.as_default(step=step):
            for tag, value in figures.items():
                tf.summary.scalar(tag, value)
        self._writer.flush()

    def text(self, step: int, name: str, markdown: str) -> None:
        """Shows a text in Markdown."""
        with self._writer.as_default(step=step):
            tf.summary.text(name, markdown)
        self._writer.flush()

    def image(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Shows a picture: uint8 (height, width, 3)."""
        with self._writer.as_default(step=step):
            tf.summary.image(name, pixels[np.newaxis])
        self._writer.flush()

    def hyper_parameters(self, configuration: Mapping) -> None:
        """Shows a nested configuration in the HParams tab; the scalars of this log are the metrics there."""
        with self._writer.as_default(step=0):
            hparams_api.hparams(dotted(configuration))
        self._writer.flush()

    def finish(self) -> None:
        """Tells the HParams tab that the run has ended as it should."""
        end = summary.session_end_pb(api_pb2.STATUS_SUCCESS)
        with self._writer.as_default(step=0):
            tf.summary.experimental.write_raw_pb(end.SerializeToString(), step=0)

    def close(self) -> None:
        self._writer.close()


def dotted(configuration: Mapping, prefix: str = "") -> dict[str, bool | int | float | str]:
    """Flattens a nested configuration: ``{"model": {"num_layers": 2}}`` becomes ``{"model.num_layers": 2}``.

    Lists become text; what is None is left out.
    """
    flat: dict[str, bool | int | float | str] = {}
    for key, value in configuration.items():
        if isinstance(value, Mapping):
            flat |= dotted(value, f"{prefix}{key}.")
        elif isinstance(value, bool | int | float | str):
            flat[f"{prefix}{key}"] = value
        elif value is not None:
            flat[f"{prefix}{key}"] = ", ".join(map(str, value))
    return flat
