import numpy as np
import pytest
from sklearn import metrics

from tfplm.tasks.configuration import TextClassificationConfig
from trainers.metrics.classification import classification_figures

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


def test_a_guess_at_the_largest_class_has_the_balanced_accuracy_of_chance_and_no_correlation():
    figures = one_label([0] * 8 + [1, 2], [0] * 10)
    assert figures["accuracy"] == 0.8
    assert figures["balanced_accuracy"] == pytest.approx(1 / 3)
    assert figures["matthews"] == 0.0


def test_correlation_is_absent_where_all_examples_are_of_one_class():
    figures = one_label([1, 1, 1], [1, 1, 0])
    assert (figures["matthews"], figures["balanced_accuracy"]) == (None, pytest.approx(2 / 3))


def test_calibration_error_is_the_distance_between_confidence_and_accuracy():
    assert one_label([0, 0, 0, 1], [0, 0, 0, 0], confidence=0.9)["expected_calibration_error"] == pytest.approx(0.15)


def test_a_class_that_is_never_predicted_counts_zero():
    assert one_label([0, 1], [0, 0])["per_class"]["b"]["f1"] == 0.0


@pytest.mark.parametrize("multi_label", [False, True])
def test_figures_equal_those_of_scikit_learn(multi_label):
    rng = np.random.default_rng(0)
    task = TextClassificationConfig(multi_label=multi_label, decision_threshold=0.3)
    probabilities = rng.dirichlet(np.ones(3), 50)
    labels = rng.integers(0, 2, (50, 3)).astype(np.float32) if multi_label else rng.integers(0, 3, 50)
    predicted = (probabilities >= 0.3).astype(int) if multi_label else probabilities.argmax(axis=1)
    figures = classification_figures(labels, probabilities, CLASSES, task)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    for average in ("macro", "micro"):
        expected = metrics.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            assert figures[f"{average}_{name}"] == pytest.approx(value)
    matrix = metrics.multilabel_confusion_matrix if multi_label else metrics.confusion_matrix
    assert figures["confusion_matrix"] == matrix(labels, predicted).tolist()
    if multi_label:
        columns = list(zip(labels.T, predicted.T, strict=True))
        balanced, matthews = (
            np.mean([figure(*column) for column in columns])
            for figure in (metrics.balanced_accuracy_score, metrics.matthews_corrcoef)
        )
    else:
        balanced = metrics.balanced_accuracy_score(labels, predicted)
        matthews = metrics.matthews_corrcoef(labels, predicted)
    assert figures["balanced_accuracy"] == pytest.approx(balanced)
    assert figures["matthews"] == pytest.approx(matthews)
    rows = labels if multi_label else np.eye(3)[labels]
    assert figures["auc"] == pytest.approx(metrics.roc_auc_score(rows, probabilities))


def test_a_task_of_one_class_that_a_text_has_or_has_not():
    labels = np.array([[1], [1], [0], [0]], np.float32)
    probabilities = np.array([[0.9], [0.2], [0.6], [0.1]])
    figures = classification_figures(labels, probabilities, ["spam"], TextClassificationConfig(multi_label=True))
    assert figures["per_class"]["spam"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "examples": 2}
    assert figures["confusion_matrix"] == [[[1, 1], [1, 1]]]
    assert (figures["accuracy"], figures["auc"]) == (0.5, 0.75)


def test_multi_label_counts_whole_sets_and_single_decisions():
    labels = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    probabilities = np.array([[0.9, 0.2, 0.8], [0.4, 0.7, 0.6]])
    figures = classification_figures(labels, probabilities, CLASSES, TextClassificationConfig(multi_label=True))
    assert figures["accuracy"] == 0.5
    assert figures["micro_precision"] == 0.75
    assert figures["micro_recall"] == 1.0
    assert np.array(figures["confusion_matrix"]).shape == (3, 2, 2)
