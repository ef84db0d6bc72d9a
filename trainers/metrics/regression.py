"""Figures of predicted numbers, by SciPy and scikit-learn."""

import warnings

import numpy as np
from scipy import stats
from sklearn import metrics

from trainers.metrics import counted
from trainers.metrics.bootstrap import Bootstrap, counted_intervals


def regression_figures(labels: np.ndarray, predictions: np.ndarray) -> dict:
    """Correlations and distances.

    Args:
        labels: float (examples,).
        predictions: float (examples,).

    Returns:
        A JSON-able dict: examples, pearson, spearman, mse, mae and r2, the share of the variance that is explained.
        None where one is undefined: the correlations where labels or predictions are all equal, r2 where the labels
        are.
    """
    labels, predictions = (np.asarray(values, np.float64) for values in (labels, predictions))
    varies = bool(len(labels)) and bool(np.ptp(labels))
    return {
        "examples": len(labels),
        **correlations(labels, predictions),
        "mse": float(metrics.mean_squared_error(labels, predictions)) if len(labels) else None,
        "mae": float(metrics.mean_absolute_error(labels, predictions)) if len(labels) else None,
        "r2": float(metrics.r2_score(labels, predictions)) if varies else None,
    }


def correlations(first: np.ndarray, second: np.ndarray) -> dict[str, float | None]:
    """Pearson's and Spearman's correlation of two float (examples,); None where one of them is constant."""
    if not len(first) or not np.ptp(first) or not np.ptp(second):
        return {"pearson": None, "spearman": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        return {
            "pearson": float(stats.pearsonr(first, second).statistic),
            "spearman": float(stats.spearmanr(first, second).statistic),
        }


def regression_intervals(
    labels: np.ndarray, predictions: np.ndarray, bootstrap: Bootstrap | None = None
) -> dict[str, list[float] | None]:
    """Bootstrap intervals of the figures of `regression_figures`; arguments as there."""
    labels, predictions = (np.asarray(values, np.float64) for values in (labels, predictions))
    errors = labels - predictions

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        mse = counted.mean(counts, errors**2)
        return {
            **counted_correlations(counts, labels, predictions),
            "mse": mse,
            "mae": counted.mean(counts, np.abs(errors)),
            "r2": 1.0 - counted.ratio(mse, counted.variance(counts, labels)),
        }

    return counted_intervals(figures, len(labels), bootstrap)


def counted_correlations(counts: np.ndarray, first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """As `correlations`, of many resamples at once; see `trainers.metrics.counted`."""
    return {"pearson": counted.pearson(counts, first, second), "spearman": counted.spearman(counts, first, second)}
