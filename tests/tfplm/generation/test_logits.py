import numpy as np
import pytest
from keras import ops

from tests.tfplm.generation.toy_writers import END, softmax
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.logits import restricted, shaped, token_set
from tfplm.generation.plan import Plan, Vocabulary, build_controls

SIZE, START = 20, 6
HISTORY = np.array([[0, 0, 3, 7, 8, 7, 9, 7, 8, 0], [5, 6, 7, 5, 6, 7, 5, 6, 4, 0]], "int32")
LOGITS = np.random.default_rng(0).normal(0, 2, (2, SIZE)).astype("float32")


def after(index: int = 9, history: np.ndarray = HISTORY, logits: np.ndarray = LOGITS, **settings) -> np.ndarray:
    """What becomes of the logits with the history's first columns."""
    config = GenerationConfig(**settings)
    plan, controls = Plan.of(config), build_controls(config, Vocabulary(SIZE, END, (0, 2)), START)
    seen = token_set(history, np.arange(history.shape[1])[None] < np.full((2, 1), index), SIZE)
    kept = restricted(plan, ops.convert_to_tensor(logits), history, np.int32(index), seen, controls)
    return ops.convert_to_numpy(shaped(plan, kept, controls))


def test_nothing_but_what_a_text_never_holds_is_taken_away_by_default():
    expected = LOGITS.copy()
    expected[:, [0, 2]] = -np.inf
    np.testing.assert_array_equal(after(), expected)


def test_repetition_penalty_pushes_what_was_there_towards_less_likely():
    expected = after().copy()
    for row, history in zip(expected, HISTORY, strict=True):
        for token in set(history[:9].tolist()) - {0}:
            row[token] = row[token] / 1.5 if row[token] > 0 else row[token] * 1.5
    np.testing.assert_allclose(after(repetition_penalty=1.5), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_no_repeat_ngram_takes_away_what_would_end_one_again(size):
    expected = after().copy()
    for row, history in zip(expected, HISTORY[:, :9].tolist(), strict=True):
        known = {tuple(history[i : i + size]) for i in range(9 - size + 1)}
        row[[token for token in range(SIZE) if (*history[9 - size + 1 :], token) in known]] = -np.inf
    assert size == 4 or (expected != after()).any()
    np.testing.assert_array_equal(after(no_repeat_ngram_size=size), expected)


def test_runs_longer_than_the_history_repeat_nothing():
    np.testing.assert_array_equal(after(no_repeat_ngram_size=11), after())
    np.testing.assert_array_equal(after(index=2, no_repeat_ngram_size=3), after(index=2))


def test_the_end_is_not_written_before_the_minimum():
    assert (after(index=START + 2, min_new_tokens=3)[:, END] == -np.inf).all()
    np.testing.assert_array_equal(after(index=START + 3, min_new_tokens=3), after())


@pytest.mark.parametrize("k", [1, 5, 20, 100])
def test_top_k_keeps_the_k_largest(k):
    kept = np.isfinite(after(strategy="sample", top_k=k))
    assert (kept.sum(axis=1) == min(k, SIZE - 2)).all()
    for row, was in zip(kept, after(), strict=True):
        assert was[row].min() > was[~row].max(initial=-np.inf)


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.999])
def test_top_p_keeps_the_fewest_that_have_the_probability(p):
    for row, logits in zip(np.isfinite(after(strategy="sample", top_p=p)), after(), strict=True):
        order = np.argsort(-logits)
        needed = np.searchsorted(np.cumsum(softmax(logits.astype("float64"))[order]), p) + 1
        assert set(np.flatnonzero(row)) == set(order[:needed])


def test_top_k_keeps_all_that_equal_the_last_one():
    logits = np.tile(np.array([0, 0, 0, *[1.0] * 3, *[-1.0] * 14], "float32"), (2, 1))
    np.testing.assert_array_equal(np.isfinite(after(logits=logits, strategy="sample", top_k=2)).sum(axis=1), [3, 3])


def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest():
    for row, logits in zip(after(strategy="sample", min_p=0.2), after(), strict=True):
        probabilities = softmax(logits)
        np.testing.assert_array_equal(np.isfinite(row), probabilities >= 0.2 * probabilities.max())


def test_temperature_comes_before_the_filters():
    hot = after(strategy="sample", temperature=4.0)
    np.testing.assert_allclose(hot, after() / 4.0, rtol=1e-6)
    both = np.isfinite(after(strategy="sample", temperature=4.0, top_p=0.5)).sum()
    assert both > np.isfinite(after(strategy="sample", top_p=0.5)).sum()
