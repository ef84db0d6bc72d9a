"""Pictures as PNG files, as bytes, and as arrays for TensorBoard; without a display and without global state."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from trainers.metrics.lettering import Lettering

_DOTS_PER_INCH = 120


def new_picture(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty picture of that many inches, and its one diagram."""
    picture = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(picture)
    return picture, picture.subplots()


def finish(picture: Figure, lettering: Lettering | None = None) -> Figure:
    """Sets the texts of a picture, which are all there, in the fonts that they need."""
    (lettering or Lettering.of(())).apply(picture)
    return picture


def png_bytes(picture: Figure) -> bytes:
    """The picture as a PNG file has it; `tfplm.run_directory.write_bytes` writes one whole or not at all."""
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def rgb_array(picture: Figure) -> np.ndarray:
    """The picture as uint8 (height, width, 3), as a TensorBoard image summary takes it with a batch axis before."""
    picture.canvas.draw()
    return np.asarray(picture.canvas.buffer_rgba())[..., :3].copy()
