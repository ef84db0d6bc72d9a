"""Figures of a classifier on labelled texts, by scikit-learn."""

from collections.abc import Sequence

import numpy as np
from sklearn import metrics

from tfplm.tasks.configuration import TextClassificationConfig


def classification_figures(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], task: TextClassificationConfig
) -> dict:
    """Accuracy, cross-entropy, precision, recall and F1 (macro, micro, per class), AUC and the confusion matrix.

    Args:
        labels: int (examples,), or 0/1 (examples, classes) for multi-label.
        probabilities: float (examples, classes).
        class_names: in the order of the columns.
        task: says whether the task is multi-label, and its decision threshold.

    Returns:
        A JSON-able dict. ``accuracy`` is that of the whole label set for multi-label. ``auc`` is the mean over the
        classes, one against the rest, and None where a class has no example or nothing else.
    """
    columns = range(len(class_names))
    if task.multi_label:
        truth, predicted = labels.astype(bool), probabilities >= task.decision_threshold
        confusion = metrics.multilabel_confusion_matrix(*_indicators(truth, predicted), labels=columns)
    else:
        chosen = probabilities.argmax(axis=1)
        truth, predicted = (np.eye(len(class_names), dtype=bool)[classes] for classes in (labels, chosen))
        confusion = metrics.confusion_matrix(labels, chosen, labels=columns)
    by_class = _precision_recall_f1(truth, predicted, None)
    macro, micro = (_precision_recall_f1(truth, predicted, average) for average in ("macro", "micro"))
    return {
        "examples": len(labels),
        "accuracy": float(metrics.accuracy_score(*_indicators(truth, predicted))),
        "loss": _cross_entropy(truth, probabilities, task.multi_label),
        "auc": _auc(truth, probabilities),
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


def _indicators(*decisions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Decisions (examples, classes) with an empty column more: scikit-learn takes a single one for two classes."""
    return tuple(np.pad(array, ((0, 0), (0, 1))) for array in decisions)


def _precision_recall_f1(truth: np.ndarray, predicted: np.ndarray, average: str | None) -> dict[str, np.ndarray]:
    """One value each, or without ``average`` one a class; 0 where nothing was given or there is no example."""
    values = metrics.precision_recall_fscore_support(
        *_indicators(truth, predicted), labels=range(truth.shape[1]), average=average, zero_division=0
    )
    return dict(zip(("precision", "recall", "f1"), values[:3], strict=True))


def _cross_entropy(one_hot: np.ndarray, probabilities: np.ndarray, multi_label: bool) -> float:
    """Mean negative log-likelihood in nats of an example (of an example's class decision for multi-label)."""
    clipped = np.clip(probabilities.astype(np.float64), 1e-12, 1.0)
    if not multi_label:
        return float(-(one_hot * np.log(clipped)).sum(axis=1).mean())
    complement = np.clip(1.0 - probabilities.astype(np.float64), 1e-12, 1.0)
    return float(-(one_hot * np.log(clipped) + ~one_hot * np.log(complement)).mean())


def _auc(one_hot: np.ndarray, probabilities: np.ndarray) -> float | None:
    positives = one_hot.sum(axis=0)
    if np.any(positives == 0) or np.any(positives == len(one_hot)):
        return None
    return float(np.mean([metrics.roc_auc_score(*columns) for columns in zip(one_hot.T, probabilities.T, strict=True)]))
