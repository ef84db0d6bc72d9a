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
    indices = list(range(len(class_names)))
    if task.multi_label:
        predicted = (probabilities >= task.decision_threshold).astype(int)
        labels = labels.astype(int)
        one_hot, confusion = labels, metrics.multilabel_confusion_matrix(labels, predicted)
    else:
        predicted = probabilities.argmax(axis=1)
        one_hot, confusion = np.eye(len(indices), dtype=int)[labels], None
        confusion = metrics.confusion_matrix(labels, predicted, labels=indices)
    figures = {
        "examples": len(labels),
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "loss": _cross_entropy(one_hot, probabilities, task.multi_label),
        "auc": _auc(one_hot, probabilities),
    }
    for average in ("macro", "micro"):
        figures |= _precision_recall_f1(labels, predicted, indices, average)
    by_class = metrics.precision_recall_fscore_support(labels, predicted, labels=indices, zero_division=0)
    figures["per_class"] = {
        name: {
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "examples": int(support),
        }
        for name, precision, recall, f1, support in zip(class_names, *by_class, strict=True)
    }
    figures["confusion_matrix"] = confusion.tolist()  # rows are true classes; multi-label: one 2 × 2 a class
    return figures


def _precision_recall_f1(labels: np.ndarray, predicted: np.ndarray, indices: list[int], average: str) -> dict:
    values = metrics.precision_recall_fscore_support(
        labels, predicted, labels=indices, average=average, zero_division=0
    )
    return {
        f"{average}_{name}": float(value) for name, value in zip(("precision", "recall", "f1"), values[:3], strict=True)
    }


def _cross_entropy(one_hot: np.ndarray, probabilities: np.ndarray, multi_label: bool) -> float:
    """Mean negative log-likelihood in nats of an example (of an example's class decision for multi-label)."""
    clipped = np.clip(probabilities.astype(np.float64), 1e-12, 1.0)
    if not multi_label:
        return float(-(one_hot * np.log(clipped)).sum(axis=1).mean())
    complement = np.clip(1.0 - probabilities.astype(np.float64), 1e-12, 1.0)
    return float(-(one_hot * np.log(clipped) + (1 - one_hot) * np.log(complement)).mean())


def _auc(one_hot: np.ndarray, probabilities: np.ndarray) -> float | None:
    positives = one_hot.sum(axis=0)
    if np.any(positives == 0) or np.any(positives == len(one_hot)):
        return None
    return float(metrics.roc_auc_score(one_hot, probabilities, average="macro"))
