"""Whether one candidate is better than another, from their figures on the same folds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class PairedTest:
    """How two candidates differ on the folds.

    Args:
        mean: of the differences.
        num_ahead: folds where the first is ahead.
        num_folds: in all.
        p_value: of so large a difference, to either side, where there is none; None where it cannot be told.
    """

    mean: float
    num_ahead: int
    num_folds: int
    p_value: float | None


def corrected_t_test(differences: Sequence[float], test_per_train: float) -> PairedTest:
    """The t test for resampled data: the folds share most of their training data, and so are not independent.

    t = mean / sqrt((1 / k + n_test / n_train) · variance), with k - 1 degrees of freedom. The plain paired test has
    1 / k alone, and finds differences that are not there.

    Args:
        differences: of the two figures on each fold.
        test_per_train: test examples over training examples of a fold.

    Source: Nadeau and Bengio 2003, "Inference for the Generalization Error", Machine Learning 52, section 5; for
    cross-validation Bouckaert and Frank 2004, "Evaluating the Replicability of Significance Tests".
    """
    count, mean = len(differences), statistics.fmean(differences)
    variance = statistics.variance(differences) if count > 1 else 0.0
    p_value = 1.0 if mean == 0.0 and count > 1 else None
    if variance > 0.0:
        t = mean / math.sqrt((1.0 / count + test_per_train) * variance)
        p_value = float(2.0 * stats.t.sf(abs(t), count - 1))
    return PairedTest(mean, sum(difference > 0.0 for difference in differences), count, p_value)


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Adjusted for having looked at several. Source: Holm 1979, "A Simple Sequentially Rejective Procedure"."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.get)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return adjusted
