"""Pictures of what a classifier takes for what."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from trainers.metrics.lettering import Lettering
from trainers.metrics.pictures import finish, new_picture

MOST_CLASSES = 40  # that are shown one by one
_LONGEST_NAME = 24
_MOST_WITH_COUNTS = 25


def confusion_plot(matrix: Sequence[Sequence[int]], class_names: Sequence[str], title: str = "Confusion") -> Figure:
    """True classes by row, given ones by column: the colour is the share of the row, the number the count.

    Beyond `MOST_CLASSES` those with the most examples are shown, and the others as one.

    Args:
        matrix: int (classes, classes), ``confusion_matrix`` of the figures.
        class_names: in the order of the rows.
        title: of the picture.
    """
    matrix, class_names = _gather_rare(np.asarray(matrix, np.int64), list(class_names))
    lettering = Lettering.of([*class_names, title])
    names = [lettering.show(name, _LONGEST_NAME) for name in class_names]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = _heat_map(matrix, shares, names, names)
    picture.axes[0].set(xlabel="given", ylabel="true", title=lettering.show(title, 80))
    return finish(picture, lettering)


def multi_label_confusion_plot(
    matrices: Sequence[Sequence[Sequence[int]]], class_names: Sequence[str], title: str = "Decisions by class"
) -> Figure:
    """For every class, of the examples that have it how many were given it, and of the others.

    Args:
        matrices: int (classes, 2, 2), ``confusion_matrix`` of the figures.
        class_names: in the order of the matrices.
        title: of the picture.
    """
    matrices = np.asarray(matrices, np.int64)
    shown = np.sort(np.argsort(-matrices[:, 1].sum(axis=1), kind="stable")[:MOST_CLASSES])
    counts = matrices[shown][:, [1, 1, 0, 0], [1, 0, 1, 0]]  # (classes, 4): found, missed, given wrongly, left out
    totals = matrices[shown].sum(axis=2)[:, [1, 1, 0, 0]]
    lettering = Lettering.of([*class_names, title])
    names = [lettering.show(class_names[row], _LONGEST_NAME) for row in shown]
    columns = ["found", "missed", "given wrongly", "rightly not given"]
    picture = _heat_map(counts, counts / np.maximum(totals, 1), names, columns)
    picture.axes[0].set(title=lettering.show(title, 80))
    return finish(picture, lettering)


def _gather_rare(matrix: np.ndarray, class_names: list[str]) -> tuple[np.ndarray, list[str]]:
    if len(class_names) <= MOST_CLASSES:
        return matrix, class_names
    kept = np.sort(np.argsort(-matrix.sum(axis=1), kind="stable")[: MOST_CLASSES - 1])
    place = np.full(len(class_names), len(kept))
    place[kept] = np.arange(len(kept))
    gathered = np.zeros((MOST_CLASSES, MOST_CLASSES), np.int64)
    np.add.at(gathered, (place[:, None], place[None, :]), matrix)
    return gathered, [class_names[index] for index in kept] + [f"{len(class_names) - len(kept)} others"]


def _heat_map(counts: np.ndarray, shares: np.ndarray, row_names: list[str], column_names: list[str]) -> Figure:
    num_rows, num_columns = counts.shape
    has_counts = num_rows <= _MOST_WITH_COUNTS
    inches = 0.55 if has_counts else 0.3
    picture, axes = new_picture(2.8 + inches * num_columns, 2.4 + inches * num_rows)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(num_columns), column_names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(num_rows), row_names, fontsize=8)
    if has_counts:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, fontsize=7)
    picture.colorbar(image, ax=axes, label="share of the true class", fraction=0.05, shrink=0.6)
    return picture
