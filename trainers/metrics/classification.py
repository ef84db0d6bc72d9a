"""Figures of a classifier on labelled texts, by scikit-learn."""

from collections.abc import Callable, Sequence

import numpy as np
from sklearn import metrics

from tfplm.tasks.configuration import TextClassificationConfig
from trainers.metrics.calibration import calibration_bins, decision_confidences, expected_calibration_error


def classification_figures(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], task: TextClassificationConfig
) -> dict:
    """What is asked of a classifier: how often it is right, how it ranks, and whether it knows.

    Args:
        labels: int (examples,), or 0/1 (examples, classes) for multi-label.
        probabilities: float (examples, classes).
        class_names: in the order of the columns.
        task: says whether the task is multi-label, and its decision threshold.

    Returns:
        A JSON-able dict of accuracy, cross-entropy, AUC, balanced accuracy, Matthews' correlation, the expected
        calibration error, precision, recall and F1 (macro, micro, per class), and the confusion matrix.
        ``accuracy`` is that of the whole label set for multi-label. ``auc`` is the mean over the classes, one against
        the rest, and None where a class has no example or nothing else. ``balanced_accuracy`` is the mean recall of
        the classes that are there, and ``matthews`` None where that is only one; for multi-label both are the mean
        over the classes, each against the rest, and None as ``auc`` is.
    """
    columns = range(len(class_names))
    truth, predicted = decisions(labels, probabilities, task)
    if task.multi_label:
        confusion = metrics.multilabel_confusion_matrix(*_indicators(truth, predicted), labels=columns)
    else:
        confusion = metrics.confusion_matrix(labels, predicted.argmax(axis=1), labels=columns)
    by_class = _precision_recall_f1(truth, predicted, None)
    macro, micro = (_precision_recall_f1(truth, predicted, average) for average in ("macro", "micro"))
    return {
        "examples": len(labels),
        "accuracy": float(metrics.accuracy_score(*_indicators(truth, predicted))),
        "loss": float(example_losses(truth, probabilities, task.multi_label).mean()),
        "auc": _auc(truth, probabilities),
        "balanced_accuracy": _balanced_accuracy(truth, predicted, task.multi_label),
        "matthews": _matthews(truth, predicted, task.multi_label),
        "expected_calibration_error": expected_calibration_error(
            calibration_bins(*decision_confidences(labels, probabilities, task.multi_label))
        ),
        **{f"macro_{name}": float(value) for name, value in macro.items()},
        **{f"micro_{name}": float(value) for name, value in micro.items()},
        "per_class": {
            class_name: {
                **{name: float(values[column]) for name, values in by_class.items()},
                "examples": int(truth[:, column].sum()),
            }
            for column, class_name in enumerate(class_names)
        },
        "confusion_matrix": confusion.tolist(),  # rows are true classes; multi-label: one 2 × 2 a class
    }


def decisions(
    labels: np.ndarray, probabilities: np.ndarray, task: TextClassificationConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The true and the given classes, each bool (examples, classes); arguments as of `classification_figures`."""
    if task.multi_label:
        return labels.astype(bool), probabilities >= task.decision_threshold
    one_hot = np.eye(probabilities.shape[1], dtype=bool)
    return one_hot[labels], one_hot[probabilities.argmax(axis=1)]


def example_losses(truth: np.ndarray, probabilities: np.ndarray, multi_label: bool) -> np.ndarray:
    """Negative log-likelihood in nats of every example, (examples,); multi-label: the mean of its class decisions.

    Args:
        truth: bool (examples, classes).
        probabilities: float (examples, classes).
        multi_label: whether the classes are decisions of their own.
    """
    clipped = np.clip(probabilities.astype(np.float64), 1e-12, 1.0)
    if not multi_label:
        return -(truth * np.log(clipped)).sum(axis=1)
    complement = np.clip(1.0 - probabilities.astype(np.float64), 1e-12, 1.0)
    return -(truth * np.log(clipped) + ~truth * np.log(complement)).mean(axis=1)


def _indicators(*decisions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Decisions (examples, classes) with an empty column more: scikit-learn takes a single one for two classes."""
    return tuple(np.pad(array, ((0, 0), (0, 1))) for array in decisions)


def _precision_recall_f1(truth: np.ndarray, predicted: np.ndarray, average: str | None) -> dict[str, np.ndarray]:
    """One value each, or without ``average`` one a class; 0 where nothing was given or there is no example."""
    values = metrics.precision_recall_fscore_support(
        *_indicators(truth, predicted), labels=range(truth.shape[1]), average=average, zero_division=0
    )
    return dict(zip(("precision", "recall", "f1"), values[:3], strict=True))


def _balanced_accuracy(truth: np.ndarray, predicted: np.ndarray, multi_label: bool) -> float | None:
    if multi_label:
        return _mean_of_classes(metrics.balanced_accuracy_score, truth, predicted)
    recall = _precision_recall_f1(truth, predicted, None)["recall"]
    return float(recall[truth.any(axis=0)].mean())


def _matthews(truth: np.ndarray, predicted: np.ndarray, multi_label: bool) -> float | None:
    if multi_label:
        return _mean_of_classes(metrics.matthews_corrcoef, truth, predicted)
    if truth.any(axis=0).sum() < 2:
        return None
    return float(metrics.matthews_corrcoef(truth.argmax(axis=1), predicted.argmax(axis=1)))


def _auc(truth: np.ndarray, probabilities: np.ndarray) -> float | None:
    return _mean_of_classes(metrics.roc_auc_score, truth, probabilities)


def _mean_of_classes(figure: Callable, truth: np.ndarray, given: np.ndarray) -> float | None:
    """Mean of a figure over the columns; None where one of them is all or none true."""
    if np.any(truth.all(axis=0) | ~truth.any(axis=0)):
        return None
    return float(np.mean([figure(*columns) for columns in zip(truth.T, given.T, strict=True)]))
