import itertools

import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.linear_chain import LinearChain, value_before

GENERATOR = np.random.default_rng(0)
CLASSES, TOKENS = 3, 7
SCORES = GENERATOR.normal(scale=3.0, size=(4, TOKENS, CLASSES)).astype("float32")
TAGS = GENERATOR.integers(0, CLASSES, (4, TOKENS)).astype("int32")
DECIDES = GENERATOR.random((4, TOKENS)) < 0.7
DECIDES[3] = False
PACKING = np.tile([1, 1, 1, 2, 2, 3, 3], (4, 1)).astype("int32")


@pytest.fixture
def chain():
    chain = LinearChain(CLASSES)
    chain.set_weights([GENERATOR.normal(size=weight.shape) for weight in chain.get_weights()])
    return chain


def by_hand(chain, row, packing):
    """The sum over all sequences of tags, one by one."""
    starts, transitions = chain.get_weights()
    total = 0.0
    for part in np.unique(packing):
        places = np.flatnonzero(DECIDES[row] & (packing == part))

        def score(tags, places=places):
            steps = sum(transitions[a, b] for a, b in itertools.pairwise(tags))
            return (
                starts[tags[0]] + steps + sum(SCORES[row, place, tag] for place, tag in zip(places, tags, strict=True))
            )

        if len(places):
            every = [score(tags) for tags in itertools.product(range(CLASSES), repeat=len(places))]
            total += score(TAGS[row, places]) - np.logaddexp.reduce(every)
    return total


def test_log_likelihoods_are_those_of_all_sequences_one_by_one(chain):
    for packing in (None, PACKING):
        found = ops.convert_to_numpy(chain.log_likelihoods(SCORES, TAGS, DECIDES, packing))
        ids = np.ones_like(PACKING) if packing is None else packing
        np.testing.assert_allclose(found, [by_hand(chain, row, ids[row]) for row in range(4)], atol=1e-4)


def test_a_chain_that_has_learned_nothing_leaves_every_token_to_itself():
    found = LinearChain(CLASSES).log_likelihoods(SCORES, TAGS, DECIDES)
    log_probabilities = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))
    own = np.take_along_axis(log_probabilities, TAGS[..., None], -1)[..., 0]
    np.testing.assert_allclose(found, (own * DECIDES).sum(1), atol=1e-4)


def test_the_value_before_is_that_of_the_last_token_that_counts():
    values = np.array([[5, 6, 7, 8]], "int32")
    counts = np.array([[True, False, True, True]])
    assert ops.convert_to_numpy(value_before(values, counts, -1)).tolist() == [[-1, 5, 5, 7]]


def test_a_chain_comes_back_from_its_configuration():
    layer = LinearChain(5, name="chain")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert [weight.shape for weight in again.weights] == [(5,), (5, 5)]
