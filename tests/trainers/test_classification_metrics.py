import numpy as np
import pytest

from tfplm.tasks.configuration import TextClassificationConfig
from trainers.classification_metrics import classification_figures

CLASSES = ["a", "b", "c"]


def one_label(labels, predicted, confidence=0.8):
    labels, predicted = np.array(labels), np.array(predicted)
    probabilities = np.full((len(labels), 3), (1 - confidence) / 2)
    probabilities[np.arange(len(labels)), predicted] = confidence
    return classification_figures(labels, probabilities, CLASSES, TextClassificationConfig())


def test_figures_of_a_hand_counted_case():
    figures = one_label([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["confusion_matrix"] == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert figures["per_class"]["a"] == {"precision": 1.0, "recall": pytest.approx(2 / 3), "f1": 0.8, "examples": 3}
    assert figures["macro_f1"] == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert figures["micro_f1"] == pytest.approx(figures["accuracy"])
    assert figures["loss"] == pytest.approx(-(4 * np.log(0.8) + 2 * np.log(0.1)) / 6)


def test_auc_is_one_for_a_perfect_ranking_and_absent_without_a_class():
    assert one_label([0, 1, 2], [0, 1, 2])["auc"] == 1.0
    assert one_label([0, 1, 1], [0, 1, 1])["auc"] is None


def test_a_class_that_is_never_predicted_counts_zero():
    assert one_label([0, 1], [0, 0])["per_class"]["b"]["f1"] == 0.0


def test_multi_label_counts_whole_sets_and_single_decisions():
    labels = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    probabilities = np.array([[0.9, 0.2, 0.8], [0.4, 0.7, 0.6]])
    figures = classification_figures(labels, probabilities, CLASSES, TextClassificationConfig(multi_label=True))
    assert figures["accuracy"] == 0.5
    assert figures["micro_precision"] == 0.75
    assert figures["micro_recall"] == 1.0
    assert np.array(figures["confusion_matrix"]).shape == (3, 2, 2)
