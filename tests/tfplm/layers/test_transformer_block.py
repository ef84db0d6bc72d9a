import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.transformer_block import TransformerBlock

HIDDEN = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")


def built_block(**kwargs) -> TransformerBlock:
    block = TransformerBlock(num_heads=2, intermediate_dim=16, dropout=0.1, attention_dropout=0.1, **kwargs)
    block.build(HIDDEN.shape)
    return block


def test_norm_comes_after_the_sum():
    block = built_block()
    attended = block.attention_norm(HIDDEN + block.attention(HIDDEN))
    expected = block.feed_forward_norm(attended + block.feed_forward(attended))
    np.testing.assert_allclose(ops.convert_to_numpy(block(HIDDEN)), ops.convert_to_numpy(expected), atol=1e-6)


def test_norm_first_comes_before_each_part():
    block = built_block(norm_first=True)
    attended = HIDDEN + block.attention(block.attention_norm(HIDDEN))
    expected = attended + block.feed_forward(block.feed_forward_norm(attended))
    np.testing.assert_allclose(ops.convert_to_numpy(block(HIDDEN)), ops.convert_to_numpy(expected), atol=1e-6)


def test_scores_come_on_request():
    output, scores = built_block()(HIDDEN, return_attention_scores=True)
    assert output.shape == (2, 5, 8)
    assert scores.shape == (2, 2, 5, 5)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.sum(scores, -1)), 1.0, atol=1e-5)


def test_every_variable_exists_once_built():
    block = built_block()
    num_weights = len(block.weights)
    block(HIDDEN)
    assert len(block.weights) == num_weights == 12


def test_heads_that_do_not_divide_the_width_are_an_error():
    with pytest.raises(ValueError, match="num_heads=3"):
        TransformerBlock(num_heads=3, intermediate_dim=16).build((None, None, 8))


def test_config_rebuilds_the_layer():
    block = built_block(norm_first=True, activation="relu")
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(block))
    assert rebuilt.get_config() == block.get_config()
