import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.attention import MultiHeadAttention
from tfplm.layers.masks import attention_bias

HIDDEN = np.random.default_rng(0).normal(size=(2, 5, 12)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=bool)[:, None, None, :]


def reference(layer, hidden, mask):
    """Attention written out in NumPy, one head at a time."""
    qkv = hidden @ ops.convert_to_numpy(layer.qkv.kernel) + ops.convert_to_numpy(layer.qkv.bias)
    query, key, value = np.split(qkv, 3, axis=-1)
    contexts, all_scores = [], []
    for head in range(layer.num_heads):
        part = slice(head * layer.head_dim, (head + 1) * layer.head_dim)
        scores = np.einsum("bqd,bkd->bqk", query[..., part], key[..., part]) / np.sqrt(layer.head_dim)
        scores = np.where(mask[:, 0], scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        contexts.append(scores @ value[..., part])
        all_scores.append(scores)
    kernel, bias = (ops.convert_to_numpy(v) for v in layer.output_projection.weights)
    return np.concatenate(contexts, -1) @ kernel + bias, np.stack(all_scores, 1)


def test_equals_attention_written_out():
    layer = MultiHeadAttention(num_heads=3, head_dim=4)
    output, scores = layer(HIDDEN, MASK, return_attention_scores=True)
    expected_output, expected_scores = reference(layer, HIDDEN, MASK)
    np.testing.assert_allclose(ops.convert_to_numpy(output), expected_output, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(scores), expected_scores, atol=1e-6)


def test_bias_made_beforehand_is_the_same_as_the_mask():
    layer = MultiHeadAttention(num_heads=3, head_dim=4)
    by_bias = layer(HIDDEN, attention_bias(ops.convert_to_tensor(MASK), "float32"))
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(HIDDEN, MASK)), ops.convert_to_numpy(by_bias))


def test_head_dim_need_not_divide_the_input():
    layer = MultiHeadAttention(num_heads=2, head_dim=7)
    assert layer(HIDDEN).shape == (2, 5, 12)
    assert layer.qkv.kernel.shape == (12, 42)


def test_hidden_positions_change_nothing():
    layer = MultiHeadAttention(num_heads=3, head_dim=4)
    changed = HIDDEN.copy()
    changed[1, 3:] = 100.0
    before, after = (ops.convert_to_numpy(layer(hidden, MASK)) for hidden in (HIDDEN, changed))
    np.testing.assert_array_equal(before[1, :3], after[1, :3])


def test_dropout_acts_in_training_only():
    layer = MultiHeadAttention(num_heads=3, head_dim=4, dropout=0.5)
    quiet, again, trained = layer(HIDDEN), layer(HIDDEN), layer(HIDDEN, training=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(quiet), ops.convert_to_numpy(again))
    assert np.abs(ops.convert_to_numpy(quiet) - ops.convert_to_numpy(trained)).max() > 1e-3


def test_bfloat16_is_near_float32_and_finite_where_nothing_is_visible():
    exact = MultiHeadAttention(num_heads=3, head_dim=4)
    exact.build(HIDDEN.shape)
    mixed = MultiHeadAttention(num_heads=3, head_dim=4, dtype="mixed_bfloat16")
    mixed.build(HIDDEN.shape)
    mixed.set_weights(exact.get_weights())
    output = mixed(HIDDEN, MASK)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(output, "float32")), ops.convert_to_numpy(exact(HIDDEN, MASK)), atol=0.05
    )
    assert np.isfinite(ops.convert_to_numpy(ops.cast(mixed(HIDDEN, np.zeros_like(MASK)), "float32"))).all()


def test_config_rebuilds_the_layer():
    layer = MultiHeadAttention(num_heads=3, head_dim=4, dropout=0.1, kernel_initializer="he_normal", name="attend")
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert rebuilt.get_config() == layer.get_config()


def test_shapes_are_known_without_computing():
    layer = MultiHeadAttention(num_heads=3, head_dim=4)
    output, scores = layer(keras.Input((5, 12)), return_attention_scores=True)
    assert output.shape == (None, 5, 12)
    assert scores.shape == (None, 3, 5, 5)


def test_no_heads_is_an_error():
    with pytest.raises(ValueError, match="num_heads=0"):
        MultiHeadAttention(num_heads=0, head_dim=4)
