"""Pictures of figures that any task may have; `trainers.metrics.pictures` makes files and arrays of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from trainers.metrics.lettering import Lettering
from trainers.metrics.pictures import finish, new_picture

_MANY_POINTS = 1000
_FAINT = "0.6"  # grey


def reliability_plot(bins: Sequence[Mapping], error: float | None, title: str = "Reliability") -> Figure:
    """How often decisions are right, by how sure the model is of them.

    Args:
        bins: of `trainers.metrics.calibration.calibration_bins`.
        error: the expected calibration error.
        title: of the picture.
    """
    picture, axes = new_picture(5, 4.5)
    filled = [row for row in bins if row["examples"]]
    most = max((row["examples"] for row in filled), default=1)
    axes.plot([0, 1], [0, 1], color=_FAINT, linestyle="--", label="as sure as right")
    for row in filled:
        width = row["high"] - row["low"]
        shade = 0.3 + 0.7 * row["examples"] / most
        axes.bar(row["low"], row["accuracy"], width, align="edge", color="C0", alpha=shade, edgecolor="white")
    axes.plot(
        [row["confidence"] for row in filled], [row["accuracy"] for row in filled], "o-", color="C1", markersize=4
    )
    if error is not None:
        title += f" (calibration error {error:.3f})"
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share that is right (darker: more)", title=title)
    axes.legend(loc="upper left")
    return finish(picture)


def regression_plot(labels: np.ndarray, predictions: np.ndarray, name: str = "score") -> Figure:
    """Predicted numbers by the true ones.

    Args:
        labels: float (examples,).
        predictions: float (examples,).
        name: of the numbers.
    """
    lettering = Lettering.of([name])
    picture, axes = new_picture(5, 5)
    faint = min(1.0, max(0.05, _MANY_POINTS / max(1, len(labels))))
    axes.scatter(labels, predictions, s=10, alpha=0.6 * faint, color="C0", linewidths=0)
    if len(labels):
        ends = [float(edge(np.concatenate([labels, predictions]))) for edge in (np.min, np.max)]
        axes.plot(ends, ends, color=_FAINT, linestyle="--")
    name = lettering.show(name)
    axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}", title=f"{len(labels):,} examples")
    return finish(picture, lettering)


def slices_plot(records: Sequence[Mapping], figure_name: str, title: str = "By group") -> Figure:
    """A figure of every group of examples, with its interval; small groups are pale.

    Args:
        records: of `trainers.metrics.slices.slice_figures`.
        figure_name: the figure that is drawn.
        title: of the picture.
    """
    records = [record for record in records if record["figures"].get(figure_name) is not None]
    lettering = Lettering.of([record["slice"] for record in records] + [title])
    picture, axes = new_picture(7, 1.5 + 0.35 * len(records))
    for row, record in enumerate(records):
        value, interval = record["figures"][figure_name], record["intervals"].get(figure_name)
        distances = None if interval is None else [[max(0.0, value - interval[0])], [max(0.0, interval[1] - value)]]
        axes.barh(row, value, xerr=distances, color="C0", alpha=0.35 if record["is_small"] else 0.9, capsize=3)
    names = [f"{lettering.show(record['slice'])} ({record['examples']:,})" for record in records]
    axes.set_yticks(range(len(records)), names)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set(xlabel=figure_name.replace("_", " "), title=lettering.show(title, 80))
    return finish(picture, lettering)
