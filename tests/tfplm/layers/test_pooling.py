import numpy as np
import pytest
from keras import ops

from tfplm.layers.pooling import gather_positions, pool_first, pool_last, pool_max, pool_mean

HIDDEN = -np.arange(1, 13, dtype="float32").reshape((2, 3, 2))  # negative: zeros of padding would win a plain maximum
MASK = np.array([[True, True, False], [True, True, True]])


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (pool_max, [[-1, -2], [-7, -8]]),
        (pool_mean, [[-2, -3], [-9, -10]]),
        (pool_last, [[-3, -4], [-11, -12]]),
    ],
)
def test_padding_does_not_count(pool, expected):
    np.testing.assert_allclose(ops.convert_to_numpy(pool(ops.convert_to_tensor(HIDDEN), MASK)), expected)


@pytest.mark.parametrize("pool", [pool_max, pool_mean])
def test_row_without_tokens_gives_zero(pool):
    pooled = pool(ops.convert_to_tensor(HIDDEN), np.zeros_like(MASK))
    np.testing.assert_array_equal(ops.convert_to_numpy(pooled), np.zeros((2, 2)))


@pytest.mark.parametrize("pool", [pool_max, pool_mean, pool_last])
def test_examples_of_a_row_are_pooled_each_for_itself(pool):
    hidden = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32"))
    packing_ids = np.array([[1, 1, 2, 0, 0], [1, 2, 2, 2, 3]])
    masks = packing_ids[:, None] == np.array([1, 2, 3, 4])[:, None]  # (batch, examples, sequence)
    pooled = ops.convert_to_numpy(pool(hidden, ops.convert_to_tensor(masks)))
    assert pooled.shape == (2, 4, 3)
    for example in range(4):
        alone = ops.convert_to_numpy(pool(hidden, ops.convert_to_tensor(masks[:, example])))
        np.testing.assert_allclose(pooled[:, example], alone, atol=1e-6)


def test_the_first_tokens_of_examples_stand_at_their_starts():
    hidden = ops.convert_to_tensor(HIDDEN)
    np.testing.assert_array_equal(ops.convert_to_numpy(pool_first(hidden)), HIDDEN[:, 0])
    of_examples = ops.convert_to_numpy(pool_first(hidden, np.array([[0, 2], [0, 1]])))
    np.testing.assert_array_equal(of_examples, [HIDDEN[0, [0, 2]], HIDDEN[1, [0, 1]]])


def test_positions_are_gathered_row_by_row():
    gathered = gather_positions(ops.convert_to_tensor(HIDDEN), np.array([[2, 0], [1, 1]]))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(gathered), [[HIDDEN[0, 2], HIDDEN[0, 0]], [HIDDEN[1, 1], HIDDEN[1, 1]]]
    )
