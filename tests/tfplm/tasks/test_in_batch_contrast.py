import keras
import numpy as np
import pytest
from keras import ops

from tfplm.tasks.in_batch_contrast import NOT_THERE, InBatchContrast, InBatchRecall, in_batch_cosines, unit_length

RANDOM = np.random.default_rng(0)


def numbered(batch: int, texts: int) -> np.ndarray:
    """Texts that are all different."""
    return np.arange(batch * texts, dtype="int32").reshape(batch, texts)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def cross_entropy(logits: np.ndarray) -> np.ndarray:
    return np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits)


def test_the_loss_is_the_cross_entropy_of_the_partner_among_all_partners_and_hard_negatives():
    vectors = RANDOM.normal(size=(4, 3, 8)).astype("float32")
    first, second, third = (unit(vectors[:, place]) for place in range(3))
    logits = first @ np.concatenate([second, third]).T / 0.1
    losses = InBatchContrast(temperature=0.1).call(numbered(4, 3), vectors)
    np.testing.assert_allclose(losses, cross_entropy(logits), rtol=1e-4)


def test_the_symmetric_loss_is_the_mean_of_both_ways():
    vectors = RANDOM.normal(size=(5, 2, 8)).astype("float32")
    logits = unit(vectors[:, 0]) @ unit(vectors[:, 1]).T / 0.2
    losses = InBatchContrast(temperature=0.2, symmetric=True).call(numbered(5, 2), vectors)
    np.testing.assert_allclose(losses, (cross_entropy(logits) + cross_entropy(logits.T)) / 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("equal", "left_out"),
    [
        ([(0, 0), (1, 0)], {(0, 1), (1, 0)}),  # equal first texts: the partner of the one is right for the other
        ([(0, 1), (1, 1)], {(0, 1), (1, 0)}),  # equal partners
        ([(0, 0), (1, 1)], {(0, 1)}),  # a text that is another one's partner is no negative of itself
    ],
)
def test_what_is_right_too_is_no_negative(equal, left_out):
    numbers = numbered(3, 2)
    numbers[equal[0]] = numbers[equal[1]]
    cosines = ops.convert_to_numpy(in_batch_cosines(numbers, RANDOM.normal(size=(3, 2, 4)).astype("float32")))
    assert {tuple(map(int, place)) for place in np.argwhere(cosines < -1.001)} == left_out


def test_a_hard_negative_that_is_not_there_or_is_right_counts_for_nobody_it_is_right_for():
    numbers = numbered(3, 3)
    numbers[0, 2] = NOT_THERE
    numbers[1, 2] = numbers[2, 1]  # the negative of the second is the partner of the third
    cosines = ops.convert_to_numpy(in_batch_cosines(numbers, RANDOM.normal(size=(3, 3, 4)).astype("float32")))
    assert {tuple(map(int, place)) for place in np.argwhere(cosines < -1.001)} == {(0, 3), (1, 3), (2, 3), (2, 4)}


def test_a_text_that_is_its_own_partner_stays_on_the_diagonal():
    numbers = np.repeat(np.arange(3, dtype="int32")[:, None], 2, axis=1)
    vectors = np.repeat(RANDOM.normal(size=(3, 1, 4)), 2, axis=1).astype("float32")
    cosines = ops.convert_to_numpy(in_batch_cosines(numbers, vectors))
    np.testing.assert_allclose(np.diagonal(cosines), 1.0, rtol=1e-5)
    assert cosines.min() > -1.001


def test_recall_counts_partners_that_are_nearest_and_leaves_texts_of_weight_zero_out():
    vectors = np.eye(4, dtype="float32")[:, None].repeat(2, axis=1)
    vectors[3, 1] = vectors[0, 1]  # the partner of the last is another one's
    metric = InBatchRecall()
    metric.update_state(numbered(4, 2), vectors)
    assert float(metric.result()) == 0.75
    metric.reset_state()
    metric.update_state(numbered(4, 2), vectors, np.array([1.0, 0.5, 2.0, 0.0], "float32"))
    assert float(metric.result()) == 1.0


def test_a_vector_of_zeros_keeps_the_gradients_finite():
    start = np.zeros((2, 2, 3), "float32")
    start[1] = 1.0
    variable = keras.Variable(start)
    assert np.isfinite(ops.convert_to_numpy(unit_length(variable))).all()
    losses = InBatchContrast().call(numbered(2, 2), variable)
    assert np.isfinite(ops.convert_to_numpy(losses)).all()
