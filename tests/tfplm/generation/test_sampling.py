import numpy as np
import pytest
from keras import ops
from scipy import stats

from tests.tfplm.generation.toy_writers import MarkovWriter, softmax
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.decoding import DecodingLoop
from tfplm.generation.sampling import gumbel_noise

SIZE, SAMPLES = 12, 8192
WRITER = MarkovWriter(SIZE, seed=3)


def draws(num_tokens: int = 1, prompt: tuple[int, ...] = (3, 4), **settings) -> np.ndarray:
    """Token ids (samples, num_tokens)."""
    config = GenerationConfig(
        strategy="sample", max_new_tokens=num_tokens, num_samples=SAMPLES, min_new_tokens=num_tokens, **settings
    )
    written = DecodingLoop(WRITER, jit_compile=False).write([list(prompt)], config, WRITER.vocabulary)
    return np.stack([text.token_ids for text in written[0]])


def stated_distribution(logits: np.ndarray, temperature=1.0, top_k=SIZE, top_p=1.0, min_p=0.0) -> np.ndarray:
    logits = logits / temperature
    logits[:2] = -np.inf  # padding, and the end before the minimum
    probabilities = softmax(logits)
    order = np.argsort(-probabilities)
    probabilities[order[top_k:]] = 0.0
    probabilities /= probabilities.sum()
    before = np.cumsum(probabilities[order]) - probabilities[order]
    probabilities[order[before >= top_p]] = 0.0
    probabilities[probabilities < min_p * probabilities.max()] = 0.0
    return probabilities / probabilities.sum()


def assert_follows(tokens: np.ndarray, expected: np.ndarray) -> None:
    counts = np.bincount(tokens, minlength=SIZE)
    assert counts[expected == 0.0].sum() == 0
    likely = expected > 0.0
    assert stats.chisquare(counts[likely], expected[likely] * counts.sum()).pvalue > 1e-3


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 1.8, "top_k": 5},
        {"top_p": 0.8},
        {"min_p": 0.1},
        {"temperature": 1.3, "top_k": 9, "top_p": 0.9, "min_p": 0.05},
    ],
)
def test_frequencies_are_those_of_the_stated_distribution(settings):
    expected = stated_distribution(WRITER.next_logits([3, 4]), **settings)
    assert_follows(draws(**settings, seed=11)[:, 0], expected)


def test_later_tokens_follow_their_own_distribution_and_not_the_draws_before():
    tokens = draws(num_tokens=3, seed=5)
    pair = stats.mode(tokens[:, :2], axis=0).mode.tolist()
    here = tokens[(tokens[:, :2] == pair).all(axis=1)]
    assert len(here) > 200
    assert_follows(here[:, 2], stated_distribution(WRITER.next_logits(pair)))


def test_a_seed_repeats_its_texts_and_another_gives_others():
    first, again, other = (draws(num_tokens=4, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert 0.0 < (first == other).mean() < 0.5


def test_noise_is_that_of_gumbel_and_always_finite():
    noise = ops.convert_to_numpy(gumbel_noise(np.arange(64, dtype="uint32"), 1000)).ravel()
    assert np.isfinite(noise).all()
    assert stats.kstest(noise, "gumbel_r").pvalue > 1e-3
