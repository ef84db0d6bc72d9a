"""Figures of many resamples at once.

Everywhere ``counts`` is float64 (resamples, examples): how often each resample has every example. A figure is
float64 (resamples,), NaN where it is undefined.
"""

import numpy as np

_ROUNDING = 1e-24  # a variance below this share of the mean square is that of equal values


def ratio(numerator: np.ndarray, denominator: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """The quotient; ``otherwise`` where the denominator is zero."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, np.float64), denominator)
    quotient = np.full(numerator.shape, otherwise)
    return np.divide(numerator, denominator, out=quotient, where=denominator != 0)


def mean(counts: np.ndarray, values: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Mean of the drawn values.

    Args:
        counts: see above.
        values: (examples,), or where they differ by resample, as ``counts``.
        among: bool (examples,), which of them count; None: all.
    """
    if among is not None:
        counts, values = counts[:, among], values[among]
    sums = (counts * values).sum(axis=1) if values.ndim == 2 else counts @ values.astype(np.float64)
    return ratio(sums, counts.sum(axis=1))


def precision_recall_f1(hits: np.ndarray, given: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1, each of the shape of the arguments; 0 where nothing was given or is present.

    Args:
        hits: how many were given rightly.
        given: how many were given.
        present: how many there are.
    """
    return {
        "precision": ratio(hits, given, 0.0),
        "recall": ratio(hits, present, 0.0),
        "f1": ratio(2 * hits, given + present, 0.0),
    }


def variance(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean squared distance from the mean, exactly 0 where the drawn values are equal; ``values`` as in `pearson`."""
    deviations = values - (counts * values).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
    found, square = mean(counts, deviations**2), mean(counts, values**2)
    return np.where(found > _ROUNDING * square, found, 0.0)


def pearson(counts: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's correlation of two values an example, (examples,) or, where they differ by resample, as ``counts``."""
    total = counts.sum(axis=1, keepdims=True)
    deviations = first - (counts * first).sum(axis=1, keepdims=True) / total
    return ratio(mean(counts, deviations * second), np.sqrt(variance(counts, first) * variance(counts, second)))


def spearman(counts: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation of two values an example, each (examples,); ties have their mean rank."""
    return pearson(counts, _ranks(counts, first), _ranks(counts, second))


def area_under_roc(counts: np.ndarray, is_positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """How often a positive example has the higher score than a negative one; a tie counts half.

    Args:
        counts: see above.
        is_positive: bool (examples,).
        scores: float (examples,).
    """
    order, starts, _ = _ties(scores)
    counts, is_positive = counts[:, order], is_positive[order]
    positives, negatives = (np.add.reduceat(counts * kind, starts, axis=1) for kind in (is_positive, ~is_positive))
    below = np.cumsum(negatives, axis=1) - negatives / 2
    return ratio((positives * below).sum(axis=1), positives.sum(axis=1) * negatives.sum(axis=1))


def _ranks(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The rank, from 1, of every example within every resample, as ``counts``."""
    order, starts, groups = _ties(values)
    sizes = np.add.reduceat(counts[:, order], starts, axis=1)
    return (np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, groups]


def _ties(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order of the values, where in it those that are equal begin, and the number of every value's group."""
    _, starts, groups = np.unique(np.sort(values), return_index=True, return_inverse=True)
    order = np.argsort(values, kind="stable")
    of_values = np.empty(len(values), np.int64)
    of_values[order] = groups
    return order, starts, of_values
