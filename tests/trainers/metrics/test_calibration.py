import numpy as np
import pytest

from trainers.metrics.calibration import calibration_bins, decision_confidences, expected_calibration_error


def test_error_of_a_hand_counted_case():
    bins = calibration_bins(np.array([0.95, 0.95, 0.65, 0.05]), np.array([True, False, True, False]), num_bins=10)
    assert [row["examples"] for row in bins] == [1, 0, 0, 0, 0, 0, 1, 0, 0, 2]
    assert bins[9] == {"low": 0.9, "high": 1.0, "examples": 2, "confidence": 0.95, "accuracy": 0.5}
    assert (bins[1]["confidence"], bins[1]["accuracy"]) == (None, None)
    assert expected_calibration_error(bins) == pytest.approx((2 * 0.45 + 0.35 + 0.05) / 4)


def test_a_bin_holds_its_upper_edge_and_the_first_holds_zero():
    bins = calibration_bins(np.array([0.0, 0.25, 0.5, 1.0]), np.ones(4, bool), num_bins=4)
    assert [row["examples"] for row in bins] == [2, 1, 0, 1]


def test_without_decisions_there_is_no_error():
    assert expected_calibration_error(calibration_bins(np.zeros(0), np.zeros(0, bool))) is None


def test_one_decision_is_the_given_class_and_several_are_every_class():
    probabilities = np.array([[0.7, 0.3], [0.4, 0.6]])
    confidences, is_right = decision_confidences(np.array([0, 0]), probabilities, multi_label=False)
    assert (confidences.tolist(), is_right.tolist()) == ([0.7, 0.6], [True, False])
    confidences, has_class = decision_confidences(np.array([[1.0, 0.0], [1.0, 1.0]]), probabilities, multi_label=True)
    assert (confidences.tolist(), has_class.tolist()) == ([0.7, 0.3, 0.4, 0.6], [True, False, True, True])
