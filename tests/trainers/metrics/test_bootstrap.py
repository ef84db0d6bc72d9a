import random

import numpy as np
import pytest

from tfplm.tasks.configuration import TextClassificationConfig
from trainers.metrics.bootstrap import Bootstrap, bootstrap_intervals, counted_intervals
from trainers.metrics.classification import classification_figures
from trainers.metrics.classification_intervals import classification_intervals
from trainers.metrics.generation import generation_figures, generation_intervals
from trainers.metrics.regression import regression_figures, regression_intervals
from trainers.metrics.tagging import tagging_figures, tagging_intervals

FEW = Bootstrap(seed=3, num_samples=20)


def assert_intervals_are_those_of_the_figures(intervals, figure, num_examples):
    """Beside the figures computed anew for each of the same resamples."""

    def flat(rows):
        figures = figure(rows)
        by_class = {f"f1 of {name}": row["f1"] for name, row in figures.get("per_class", {}).items()}
        found = figures | by_class
        return {name: found.get(name, 0.0) for name in intervals}

    expected = bootstrap_intervals(flat, num_examples, FEW.seed, FEW.num_samples, FEW.level)
    assert set(intervals) == set(expected)
    for name, interval in intervals.items():
        assert interval == (None if expected[name] is None else pytest.approx(expected[name])), name


@pytest.mark.parametrize("num_examples", [12, 80])
@pytest.mark.parametrize("multi_label", [False, True])
def test_intervals_of_a_classifier(multi_label, num_examples):
    rng = np.random.default_rng(0)
    task, names = TextClassificationConfig(multi_label=multi_label), ["a", "b", "c"]
    labels = rng.integers(0, 2, (num_examples, 3)) if multi_label else rng.choice(3, num_examples, p=[0.1, 0.3, 0.6])
    probabilities = rng.random((num_examples, 3)) if multi_label else rng.dirichlet(np.ones(3), num_examples)
    probabilities = probabilities.round(1)  # with ties

    def figure(rows):
        return classification_figures(labels[rows], probabilities[rows], names, task)

    intervals = classification_intervals(labels, probabilities, names, task, FEW)
    scalars = {name for name, value in figure(np.arange(num_examples)).items() if isinstance(value, float)}
    assert set(intervals) == scalars | {"f1 of a", "f1 of b", "f1 of c"}
    assert_intervals_are_those_of_the_figures(intervals, figure, num_examples)


def test_intervals_of_a_regression():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 40).astype(float)
    predictions = (labels + rng.normal(size=40)).round(1)
    intervals = regression_intervals(labels, predictions, FEW)
    assert_intervals_are_those_of_the_figures(
        intervals, lambda rows: regression_figures(labels[rows], predictions[rows]), 40
    )
    small, few = labels[:3], predictions[:3]  # of which a resample is sometimes one example, thrice
    assert_intervals_are_those_of_the_figures(
        regression_intervals(small, few, FEW), lambda rows: regression_figures(small[rows], few[rows]), 3
    )


@pytest.mark.parametrize("tags", [["O", "O", "B-PER", "I-PER", "B-LOC"], ["NN", "VB", "DT"]])
def test_intervals_of_tagged_sentences(tags):
    rng = random.Random(0)
    gold = [rng.choices(tags, k=rng.randint(1, 6)) for _ in range(25)]
    predicted = [[tag if rng.random() < 0.8 else rng.choice(tags) for tag in sentence] for sentence in gold]
    assert_intervals_are_those_of_the_figures(
        tagging_intervals(gold, predicted, FEW),
        lambda rows: tagging_figures([gold[row] for row in rows], [predicted[row] for row in rows]),
        25,
    )


def test_intervals_of_written_texts():
    rng = random.Random(0)
    references = [" ".join(rng.choices("red old brick house on the hill".split(), k=8)) for _ in range(12)]
    outputs = [" ".join(word if rng.random() < 0.9 else "tree" for word in text.split()) for text in references]
    assert_intervals_are_those_of_the_figures(
        generation_intervals(outputs, references, bootstrap=FEW),
        lambda rows: generation_figures([outputs[row] for row in rows], [references[row] for row in rows]),
        12,
    )


def test_an_interval_of_a_share_is_as_wide_as_statistics_has_it():
    values = np.array([True] * 80 + [False] * 20)
    intervals = bootstrap_intervals(lambda rows: {"share": values[rows].mean()}, 100)
    assert intervals["share"] == pytest.approx([0.8 - 1.96 * 0.04, 0.8 + 1.96 * 0.04], abs=0.015)


def test_equal_seeds_give_equal_intervals_and_others_do_not():
    values = np.random.default_rng(0).random(50)

    def intervals(seed):
        return bootstrap_intervals(lambda rows: {"mean": values[rows].mean()}, 50, seed)["mean"]

    assert intervals(0) == intervals(0) != intervals(1)


def test_a_lower_level_is_narrower():
    values = np.random.default_rng(0).random(50)
    wide, narrow = (
        counted_intervals(lambda counts: {"mean": counts @ values / 50}, 50, Bootstrap(level=level))["mean"]
        for level in (0.99, 0.5)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_a_figure_that_is_mostly_undefined_has_no_interval():
    intervals = bootstrap_intervals(lambda rows: {"rare": 1.0 if (rows == 0).sum() > 3 else None, "sure": 2.0}, 10)
    assert intervals == {"rare": None, "sure": [2.0, 2.0]}


def test_without_examples_there_are_no_intervals():
    assert bootstrap_intervals(lambda rows: {"mean": 0.0}, 0) == {}
    assert regression_intervals(np.zeros(0), np.zeros(0)) == {}
