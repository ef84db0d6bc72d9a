"""Figures of answers that are one of several choices."""

from collections.abc import Sequence

import numpy as np

from trainers.metrics import counted
from trainers.metrics.bootstrap import Bootstrap, counted_intervals
from trainers.metrics.calibration import calibration_bins, decision_confidences, expected_calibration_error
from trainers.metrics.classification import example_losses
from trainers.metrics.errors import LIMIT, error_record


def choice_figures(labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> dict:
    """How often the right choice is found, beside what is found without reading.

    Args:
        labels: int (examples,), numbers of the right choices.
        probabilities: float (examples, choices), 0 where there is no choice.
        counts: int (examples,), how many choices each example has.

    Returns:
        A JSON-able dict: examples, accuracy, loss (cross-entropy), expected_calibration_error; chance, the accuracy of
        guessing, and majority, that of always taking the place that is right most often.
    """
    bins = calibration_bins(*decision_confidences(labels, probabilities, False))
    return {
        "examples": len(labels),
        "accuracy": float(_is_right(labels, probabilities).mean()),
        "loss": float(_losses(labels, probabilities).mean()),
        "expected_calibration_error": expected_calibration_error(bins),
        "chance": float((1.0 / counts).mean()),
        "majority": float(np.bincount(labels).max() / len(labels)),
    }


def choice_intervals(
    labels: np.ndarray, probabilities: np.ndarray, bootstrap: Bootstrap | None = None
) -> dict[str, list[float] | None]:
    """Bootstrap intervals of accuracy and loss; arguments as of `choice_figures`."""
    is_right, losses = _is_right(labels, probabilities), _losses(labels, probabilities)

    def figures(drawn: np.ndarray) -> dict[str, np.ndarray]:
        return {"accuracy": counted.mean(drawn, is_right), "loss": counted.mean(drawn, losses)}

    return counted_intervals(figures, len(labels), bootstrap)


def choice_errors(
    texts: Sequence[str],
    origins: Sequence[str],
    choices: Sequence[Sequence[str]],
    labels: np.ndarray,
    probabilities: np.ndarray,
    limit: int = LIMIT,
) -> list[dict]:
    """The wrongly answered questions with the highest loss, as `trainers.metrics.errors` records them.

    Args:
        texts: n questions.
        origins: where each stands.
        choices: of every question.
        labels: int (n,), numbers of the right choices.
        probabilities: float (n, choices).
        limit: the most records.

    Returns:
        Records with loss and the probability of the given choice.
    """
    losses = _losses(labels, probabilities)
    wrong = np.flatnonzero(~_is_right(labels, probabilities))
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:limit]
    given = probabilities.argmax(axis=1)
    return [
        error_record(
            texts[index],
            choices[index][labels[index]],
            choices[index][given[index]],
            {"loss": float(losses[index]), "probability": float(probabilities[index].max())},
            origins[index],
        )
        for index in worst
    ]


def _is_right(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(axis=1) == labels


def _losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return example_losses(np.eye(probabilities.shape[1])[labels], probabilities, multi_label=False)
