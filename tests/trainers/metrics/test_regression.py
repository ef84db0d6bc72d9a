import json

import numpy as np
import pytest
from scipy import stats

from trainers.metrics.regression import regression_figures


def test_figures_of_a_hand_counted_case():
    figures = regression_figures(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0]))
    assert figures["examples"] == 4
    assert (figures["mse"], figures["mae"]) == (0.5, 0.5)
    assert figures["r2"] == pytest.approx(1 - 2 / 5)
    assert figures["pearson"] == pytest.approx(0.8)
    assert figures["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))


def test_correlations_are_those_of_scipy():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 100).astype(np.float32)  # with ties
    predictions = labels + rng.normal(size=100)
    figures = regression_figures(labels, predictions)
    assert figures["pearson"] == pytest.approx(stats.pearsonr(labels, predictions).statistic)
    assert figures["spearman"] == pytest.approx(stats.spearmanr(labels, predictions).statistic)


@pytest.mark.parametrize(
    ("labels", "predictions", "defined"),
    [
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], {"mse", "mae"}),
        ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], {"mse", "mae", "r2"}),
        ([1.0], [2.0], {"mse", "mae"}),
        ([], [], set()),
    ],
)
def test_what_is_undefined_is_none(labels, predictions, defined):
    figures = regression_figures(np.array(labels), np.array(predictions))
    assert {name for name, value in figures.items() if value is not None} == defined | {"examples"}
    json.dumps(figures, allow_nan=False)
