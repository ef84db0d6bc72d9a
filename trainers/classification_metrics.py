"""Figures of a classifier on labelled texts."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

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
    if task.multi_label:
        truth = labels.astype(bool)
        predicted = probabilities >= task.decision_threshold
        confusion = np.stack([_confusion(truth[:, column], predicted[:, column]) for column in range(truth.shape[1])])
    else:
        truth = np.eye(len(class_names), dtype=bool)[labels]
        predicted = np.eye(len(class_names), dtype=bool)[probabilities.argmax(axis=1)]
        confusion = truth.T.astype(int) @ predicted.astype(int)
    correct, given, examples = (truth & predicted).sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0)
    by_class = _precision_recall_f1(correct, given, examples)
    macro = {name: values.mean() for name, values in by_class.items()}
    micro = _precision_recall_f1(correct.sum(), given.sum(), examples.sum())
    return {
        "examples": len(labels),
        "accuracy": float((truth == predicted).all(axis=1).mean()),
        "loss": _cross_entropy(truth, probabilities, task.multi_label),
        "auc": _auc(truth, probabilities),
        **{f"macro_{name}": float(value) for name, value in macro.items()},
        **{f"micro_{name}": float(value) for name, value in micro.items()},
        "per_class": {
            class_name: {**{name: float(values[index]) for name, values in by_class.items()}, "examples": int(count)}
            for index, (class_name, count) in enumerate(zip(class_names, examples, strict=True))
        },
        "confusion_matrix": confusion.tolist(),  # rows are true classes; multi-label: one 2 × 2 a class
    }


def _confusion(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Counts (2, 2) of the decisions (examples,) on one class: rows are the truth, "not given" before "given"."""
    return np.array([[((truth == row) & (predicted == column)).sum() for column in (0, 1)] for row in (0, 1)])


def _precision_recall_f1(correct: np.ndarray, given: np.ndarray, examples: np.ndarray) -> dict[str, np.ndarray]:
    """From counts of any one shape; 0 where nothing was given or there is no example."""
    return {
        "precision": correct / np.maximum(given, 1),
        "recall": correct / np.maximum(examples, 1),
        "f1": 2 * correct / np.maximum(given + examples, 1),
    }


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
    return float(np.mean([roc_auc_score(*columns) for columns in zip(one_hot.T, probabilities.T, strict=True)]))
