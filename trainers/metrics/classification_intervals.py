"""Bootstrap intervals of the figures of a classifier."""

from collections.abc import Sequence

import numpy as np

from tfplm.tasks.configuration import TextClassificationConfig
from trainers.metrics import counted
from trainers.metrics.bootstrap import Bootstrap, counted_intervals
from trainers.metrics.calibration import NUM_BINS, bin_numbers, decision_confidences
from trainers.metrics.classification import decisions, example_losses


def classification_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    task: TextClassificationConfig,
    bootstrap: Bootstrap | None = None,
) -> dict[str, list[float] | None]:
    """Intervals of the figures of `classification_figures`, and of ``f1 of NAME`` for every class.

    Args:
        labels: int (examples,), or 0/1 (examples, classes) for multi-label.
        probabilities: float (examples, classes).
        class_names: in the order of the columns.
        task: as of the figures.
        bootstrap: how resamples are drawn.
    """
    truth, predicted = decisions(labels, probabilities, task)
    is_right = (truth == predicted).all(axis=1)
    losses = example_losses(truth, probabilities, task.multi_label)
    gaps = _calibration_gaps(labels, probabilities, task.multi_label)

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": counted.mean(counts, is_right),
            "loss": counted.mean(counts, losses),
            "auc": np.mean([counted.area_under_roc(counts, *c) for c in zip(truth.T, probabilities.T, strict=True)], 0),
            "expected_calibration_error": counted.ratio(
                np.abs(counts @ gaps[0]).sum(axis=1), counts.sum(axis=1) * gaps[1]
            ),
            **_decision_figures(counts, truth, predicted, class_names, task.multi_label),
        }

    return counted_intervals(figures, len(labels), bootstrap)


def _calibration_gaps(labels: np.ndarray, probabilities: np.ndarray, multi_label: bool) -> tuple[np.ndarray, int]:
    """Confidence less rightness of every example, summed by bin, (examples, bins); and decisions of an example."""
    confidences, is_right = decision_confidences(labels, probabilities, multi_label)
    decisions_each = len(confidences) // len(labels)
    examples = np.repeat(np.arange(len(labels)), decisions_each)
    gaps = np.zeros((len(labels), NUM_BINS))
    np.add.at(gaps, (examples, bin_numbers(confidences)), confidences - is_right.astype(np.float64))
    return gaps, decisions_each


def _decision_figures(
    counts: np.ndarray, truth: np.ndarray, predicted: np.ndarray, class_names: Sequence[str], multi_label: bool
) -> dict[str, np.ndarray]:
    # each (resamples, classes)
    hits, given, present = (counts @ x.astype(np.float64) for x in (truth & predicted, predicted, truth))
    totals = counts.sum(axis=1, keepdims=True)
    by_class = counted.precision_recall_f1(hits, given, present)
    micro = counted.precision_recall_f1(*(x.sum(axis=1) for x in (hits, given, present)))
    return {
        **{f"macro_{name}": values.mean(axis=1) for name, values in by_class.items()},
        **{f"micro_{name}": values for name, values in micro.items()},
        **{f"f1 of {name}": by_class["f1"][:, column] for column, name in enumerate(class_names)},
        "balanced_accuracy": _balanced_accuracy(hits, given, present, totals, multi_label),
        "matthews": _matthews(hits, given, present, totals, multi_label),
    }


def _balanced_accuracy(
    hits: np.ndarray, given: np.ndarray, present: np.ndarray, totals: np.ndarray, multi_label: bool
) -> np.ndarray:
    recall = counted.ratio(hits, present)
    if not multi_label:  # over the classes that are there
        return counted.ratio(np.nansum(recall, axis=1), (present > 0).sum(axis=1))
    of_the_rest = counted.ratio(totals - present - given + hits, totals - present)
    return ((recall + of_the_rest) / 2).mean(axis=1)


def _matthews(
    hits: np.ndarray, given: np.ndarray, present: np.ndarray, totals: np.ndarray, multi_label: bool
) -> np.ndarray:
    """Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient"."""
    if multi_label:  # the classes are tasks of their own
        covariance, spreads = hits * totals - given * present, (given * (totals - given), present * (totals - present))
    else:
        covariance = (hits.sum(axis=1) * totals[:, 0] - (given * present).sum(axis=1))[:, None]
        spreads = tuple(totals**2 - (x**2).sum(axis=1, keepdims=True) for x in (given, present))
    values = counted.ratio(covariance, np.sqrt(spreads[0] * spreads[1]), 0.0)
    return np.where(spreads[1] > 0, values, np.nan).mean(axis=1)
