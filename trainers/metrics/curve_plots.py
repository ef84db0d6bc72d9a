"""Pictures of what a classifier gains and loses by a lower threshold: ROC and precision-recall curves."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics

from trainers.metrics.lettering import Lettering
from trainers.metrics.pictures import finish, new_picture

MOST_CURVES = 10
_FAINT = "0.6"  # grey


def roc_plot(truth: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], title: str = "ROC") -> Figure:
    """The ROC curve of every class against the rest, with the area under it.

    Beyond `MOST_CURVES` classes those with the most examples are shown; a class that all or no examples have is not.

    Args:
        truth: bool (examples, classes), as of `trainers.metrics.classification.decisions`.
        probabilities: float (examples, classes).
        class_names: in the order of the columns.
        title: of the picture.
    """

    def draw(axes: Axes, is_positive: np.ndarray, scores: np.ndarray, name: str) -> None:
        false_positive_rate, true_positive_rate, _ = metrics.roc_curve(is_positive, scores)
        area = metrics.roc_auc_score(is_positive, scores)
        axes.plot(false_positive_rate, true_positive_rate, label=f"{name} (area {area:.3f})")

    picture = _curves(draw, truth, probabilities, class_names, title)
    picture.axes[0].plot([0, 1], [0, 1], color=_FAINT, linestyle="--")
    picture.axes[0].set(xlabel="false positive rate", ylabel="true positive rate")
    return picture


def precision_recall_plot(
    truth: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], title: str = "Precision and recall"
) -> Figure:
    """The precision-recall curve of every class, with its average precision; see `roc_plot`."""

    def draw(axes: Axes, is_positive: np.ndarray, scores: np.ndarray, name: str) -> None:
        precision, recall, _ = metrics.precision_recall_curve(is_positive, scores)
        average = metrics.average_precision_score(is_positive, scores)
        axes.plot(recall, precision, drawstyle="steps-post", label=f"{name} (mean {average:.3f})")

    picture = _curves(draw, truth, probabilities, class_names, title)
    picture.axes[0].set(xlabel="recall", ylabel="precision")
    return picture


def _curves(
    draw: Callable, truth: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], title: str
) -> Figure:
    num_positive = truth.sum(axis=0)
    possible = np.flatnonzero((num_positive > 0) & (num_positive < len(truth)))
    shown = np.sort(possible[np.argsort(-num_positive[possible], kind="stable")][:MOST_CURVES])
    lettering = Lettering.of([*class_names, title])
    picture, axes = new_picture(6, 5)
    for column in shown:
        draw(axes, truth[:, column], probabilities[:, column], lettering.show(class_names[column]))
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), title=lettering.show(title, 80))
    if len(shown):
        axes.legend(fontsize=8)
    return finish(picture, lettering)
