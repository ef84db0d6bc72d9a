"""The comparison of two candidates on the same folds."""

import math

import pytest
from scipy import stats

from trainers.studies.paired_test import corrected_t_test, holm

DIFFERENCES = [2.0, 1.0, 3.0, -0.5, 1.5]


def test_without_shared_training_data_it_is_the_plain_paired_t_test():
    test = corrected_t_test(DIFFERENCES, test_per_train=0.0)
    assert test.p_value == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0.0).pvalue)
    assert (test.mean, test.num_ahead, test.num_folds) == (1.4, 4, 5)


def test_shared_training_data_makes_the_difference_less_sure():
    plain = stats.ttest_1samp(DIFFERENCES, 0.0)
    shrunk = plain.statistic * math.sqrt((1 / 5) / (1 / 5 + 1 / 4))
    corrected = corrected_t_test(DIFFERENCES, test_per_train=1 / 4)
    assert corrected.p_value == pytest.approx(2 * stats.t.sf(shrunk, 4))
    assert corrected.p_value > plain.pvalue


def test_folds_that_all_differ_alike_say_nothing_of_chance():
    assert corrected_t_test([1.0, 1.0, 1.0], 0.5).p_value is None
    assert corrected_t_test([0.0, 0.0], 0.5).p_value == 1.0


def test_several_comparisons_are_adjusted():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({}) == {}
    assert holm({"a": 0.8, "b": 0.9}) == {"a": 1.0, "b": 1.0}
