import keras
import numpy as np
import pytest
from keras import ops

from tfplm.tasks.losses import SmoothedCrossEntropy, TokenCrossEntropy, token_cross_entropy

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(4, 3, 7), scale=5).astype("float32")
TARGETS = RANDOM.integers(0, 7, (4, 3)).astype("int32")


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_token_cross_entropy_equals_that_of_keras():
    expected = keras.losses.sparse_categorical_crossentropy(TARGETS, LOGITS, from_logits=True)
    got = token_cross_entropy(ops.convert_to_tensor(TARGETS), ops.convert_to_tensor(LOGITS))
    np.testing.assert_allclose(ops.convert_to_numpy(got), ops.convert_to_numpy(expected), atol=1e-5)


def test_token_cross_entropy_stands_large_logits():
    got = token_cross_entropy(ops.convert_to_tensor([1]), ops.convert_to_tensor([[1e4, 0.0]]))
    np.testing.assert_allclose(ops.convert_to_numpy(got), [1e4])


def test_targets_without_weight_do_not_count():
    weights = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], dtype="float32")
    losses = -np.take_along_axis(log_softmax(LOGITS), TARGETS[..., None], -1)[..., 0]
    expected = (losses * weights).sum() / weights.sum()
    np.testing.assert_allclose(float(TokenCrossEntropy()(TARGETS, LOGITS, weights)), expected, rtol=1e-5)
    np.testing.assert_allclose(float(TokenCrossEntropy()(TARGETS, LOGITS)), losses.mean(), rtol=1e-5)


def test_no_weight_at_all_gives_zero():
    assert float(TokenCrossEntropy()(TARGETS, LOGITS, np.zeros((4, 3), "float32"))) == 0.0


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_cross_entropy_follows_the_formula(smoothing, shape):
    logits, labels = LOGITS[:, 0], TARGETS[:, 0]
    targets = np.full((4, 7), smoothing / 7)
    targets[np.arange(4), labels] += 1.0 - smoothing
    expected = -(targets * log_softmax(logits)).sum(-1)
    np.testing.assert_allclose(
        float(SmoothedCrossEntropy(smoothing)(labels.reshape(shape), logits)), expected.mean(), rtol=1e-5
    )
    weights = np.array([1.0, 2.0, 0.0, 0.5], dtype="float32")
    weighted = float(SmoothedCrossEntropy(smoothing)(labels.reshape(shape), logits, weights))
    np.testing.assert_allclose(weighted, (expected * weights).mean(), rtol=1e-5)


def test_smoothed_cross_entropy_equals_that_of_keras_on_one_hot_targets():
    one_hot = np.eye(7, dtype="float32")[TARGETS[:, 0]]
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(one_hot, LOGITS[:, 0])
    np.testing.assert_allclose(
        float(SmoothedCrossEntropy(0.1)(TARGETS[:, 0], LOGITS[:, 0])), float(expected), rtol=1e-5
    )


def test_smoothing_of_one_is_an_error():
    with pytest.raises(ValueError, match="label_smoothing=1.0"):
        SmoothedCrossEntropy(1.0)


@pytest.mark.parametrize("loss", [SmoothedCrossEntropy(0.2), TokenCrossEntropy()], ids=lambda loss: loss.name)
def test_config_rebuilds_the_loss(loss):
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert rebuilt.get_config() == loss.get_config()
