"""Whether a classifier is right as often as it says."""

import numpy as np

NUM_BINS = 15


def decision_confidences(labels: np.ndarray, probabilities: np.ndarray, multi_label: bool) -> tuple:
    """What a classifier says and what is true, for `calibration_bins`.

    Args:
        labels: int (examples,), or 0/1 (examples, classes) for multi-label.
        probabilities: float (examples, classes).
        multi_label: whether each class is a decision of its own.

    Returns:
        The probability of the given class and whether it is right, each (examples,). Multi-label: the probability of
        every class and whether the example has it, each (examples × classes,), whatever the decision threshold.
    """
    if multi_label:
        return probabilities.ravel(), labels.astype(bool).ravel()
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def calibration_bins(confidences: np.ndarray, is_right: np.ndarray, num_bins: int = NUM_BINS) -> list[dict]:
    """The reliability of a classifier by bins of equal width.

    Args:
        confidences: float (decisions,), from 0 to 1.
        is_right: bool (decisions,).
        num_bins: how many; the m-th of M is ((m - 1)/M, m/M].

    Returns:
        For every bin ``low``, ``high``, ``examples``, and the mean ``confidence`` and ``accuracy``, None where it is
        empty.
    """
    numbers = bin_numbers(confidences, num_bins)
    sizes = np.bincount(numbers, minlength=num_bins)
    sums = [np.bincount(numbers, values, minlength=num_bins) for values in (confidences, is_right)]
    return [
        {
            "low": number / num_bins,
            "high": (number + 1) / num_bins,
            "examples": int(size),
            "confidence": float(sums[0][number] / size) if size else None,
            "accuracy": float(sums[1][number] / size) if size else None,
        }
        for number, size in enumerate(sizes)
    ]


def expected_calibration_error(bins: list[dict]) -> float | None:
    """The mean distance between confidence and accuracy of the bins, weighted by their examples; None without any.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.
    """
    filled = [row for row in bins if row["examples"]]
    if not filled:
        return None
    distances = [abs(row["accuracy"] - row["confidence"]) for row in filled]
    return float(np.average(distances, weights=[row["examples"] for row in filled]))


def bin_numbers(confidences: np.ndarray, num_bins: int = NUM_BINS) -> np.ndarray:
    """The bin of every confidence, int64 of the same shape, from 0."""
    return np.digitize(confidences, np.arange(1, num_bins) / num_bins, right=True)
