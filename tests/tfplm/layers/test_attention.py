import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.attention import KeysValues, MultiHeadAttention
from tfplm.layers.masks import attention_bias, causal_attention_mask
from tfplm.layers.rotary import Rotation, rotation

RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.normal(size=(2, 5, 12)).astype("float32")
SOURCE = RANDOM.normal(size=(2, 7, 12)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=bool)[:, None, None, :]
SOURCE_MASK = np.array([[1] * 7, [1] * 4 + [0] * 3], dtype=bool)[:, None, None, :]


def projected(dense, hidden):
    """A dense layer in NumPy, with a bias or without."""
    kernel, *bias = (ops.convert_to_numpy(weight) for weight in dense.weights)
    return hidden @ kernel + (bias[0] if bias else 0.0)


def reference(layer, hidden, mask, source=None):
    """Attention written out in NumPy, one head at a time."""
    if source is None:
        query, key, value = np.split(projected(layer.qkv, hidden), 3, axis=-1)
    else:
        query, (key, value) = projected(layer.query, hidden), np.split(projected(layer.key_value, source), 2, axis=-1)
    contexts, all_scores = [], []
    for head in range(layer.num_heads):
        part = slice(head * layer.head_dim, (head + 1) * layer.head_dim)
        scores = np.einsum("bqd,bkd->bqk", query[..., part], key[..., part])
        scores = scores / np.sqrt(layer.head_dim) if layer.scale_scores else scores
        scores = np.where(mask[:, 0], scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        contexts.append(scores @ value[..., part])
        all_scores.append(scores)
    return projected(layer.output_projection, np.concatenate(contexts, -1)), np.stack(all_scores, 1)


def randomized(layer: MultiHeadAttention) -> MultiHeadAttention:
    """The layer with random weights, biases included."""
    layer.build(HIDDEN.shape)
    layer.set_weights([RANDOM.normal(0, 0.5, weight.shape) for weight in layer.weights])
    return layer


@pytest.mark.parametrize("scale_scores", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
def test_equals_attention_written_out(scale_scores, use_bias):
    layer = randomized(MultiHeadAttention(num_heads=3, head_dim=4, scale_scores=scale_scores, use_bias=use_bias))
    assert len(layer.weights) == (4 if use_bias else 2)
    output, scores = layer(HIDDEN, MASK, return_attention_scores=True)
    expected_output, expected_scores = reference(layer, HIDDEN, MASK)
    np.testing.assert_allclose(ops.convert_to_numpy(output), expected_output, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(scores), expected_scores, atol=1e-6)


@pytest.mark.parametrize("scale_scores", [True, False])
def test_attention_to_a_source_equals_the_same_written_out(scale_scores):
    layer = randomized(MultiHeadAttention(num_heads=3, head_dim=4, scale_scores=scale_scores, is_cross=True))
    output, scores = layer(HIDDEN, SOURCE_MASK, source=SOURCE, return_attention_scores=True)
    expected_output, expected_scores = reference(layer, HIDDEN, SOURCE_MASK, SOURCE)
    np.testing.assert_allclose(ops.convert_to_numpy(output), expected_output, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(scores), expected_scores, atol=1e-6)
    token_by_token = [
        layer.decode_source(HIDDEN[:, [column]], layer.read_source(SOURCE), ops.convert_to_tensor(SOURCE_MASK))
        for column in range(5)
    ]
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.concatenate(token_by_token, axis=1)), expected_output, atol=1e-5
    )


def turned_by(positions: np.ndarray | None) -> Rotation | None:
    return None if positions is None else rotation(positions, 4)


@pytest.mark.parametrize("num_key_value_heads", [1, 2])
@pytest.mark.parametrize("positions", [None, np.arange(5)[None]])
def test_shared_heads_equal_the_same_heads_repeated(num_key_value_heads, positions):
    shared = randomized(MultiHeadAttention(num_heads=4, head_dim=4, num_key_value_heads=num_key_value_heads))
    alone = MultiHeadAttention(num_heads=4, head_dim=4)
    alone.build(HIDDEN.shape)
    qkv = []
    for weight in (shared.qkv.kernel, shared.qkv.bias):  # (…, queries and keys and values)
        weight = ops.convert_to_numpy(weight)
        query, *pairs = np.split(weight, [16, 16 + 4 * num_key_value_heads], axis=-1)
        pairs = [np.reshape(part, (*weight.shape[:-1], num_key_value_heads, 4)) for part in pairs]
        pairs = [np.repeat(part, 4 // num_key_value_heads, axis=-2) for part in pairs]
        qkv.append(np.concatenate([query, *(part.reshape(query.shape) for part in pairs)], axis=-1))
    alone.qkv.set_weights(qkv)
    alone.output_projection.set_weights(shared.output_projection.get_weights())
    mask = ops.logical_and(ops.convert_to_tensor(MASK), causal_attention_mask(5))
    outputs = (
        layer(HIDDEN, mask, return_attention_scores=True, rotation=turned_by(positions)) for layer in (shared, alone)
    )
    for got, expected in zip(*outputs, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(got), ops.convert_to_numpy(expected), atol=1e-5)


@pytest.mark.parametrize("num_key_value_heads", [None, 2])
@pytest.mark.parametrize("at_once", [1, 2])
def test_with_a_cache_it_attends_as_without(num_key_value_heads, at_once):
    layer = randomized(MultiHeadAttention(num_heads=4, head_dim=4, num_key_value_heads=num_key_value_heads))
    hidden, length = SOURCE, 7
    causal = causal_attention_mask(length)
    expected = ops.convert_to_numpy(layer(hidden, causal, rotation=turned_by(np.arange(length)[None])))
    room = RANDOM.normal(size=(2, num_key_value_heads or 4, length, 4)).astype("float32")  # what lies there is not seen
    kept = KeysValues(ops.convert_to_tensor(room), ops.convert_to_tensor(room))
    for index in range(0, length - 1, at_once):
        columns = slice(index, index + at_once)
        turn = turned_by(np.arange(length)[None, columns])
        got, kept = layer.decode(hidden[:, columns], kept, index, causal[:, :, columns], turn)
        np.testing.assert_allclose(ops.convert_to_numpy(got), expected[:, columns], atol=1e-5)


def test_queries_whose_scores_are_not_scaled_begin_smaller():
    normal = keras.initializers.RandomNormal(stddev=1.0, seed=0)
    small = keras.initializers.RandomNormal(stddev=0.1, seed=1)
    for is_cross in (False, True):
        layer = MultiHeadAttention(
            4, 16, 0.0, normal, scale_scores=False, residual_initializer=small, is_cross=is_cross
        )
        layer.build((None, None, 100))
        query, key, value = (
            np.split(ops.convert_to_numpy(layer.qkv.kernel), 3, axis=1)
            if not is_cross
            else [ops.convert_to_numpy(layer.query.kernel), *np.split(layer.key_value.get_weights()[0], 2, axis=1)]
        )
        output = ops.convert_to_numpy(layer.output_projection.kernel)
        got = [kernel.std() for kernel in (query, key, value, output)]
        np.testing.assert_allclose(got, [0.25, 1.0, 1.0, 0.1], rtol=0.05)


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
    layer = MultiHeadAttention(
        num_heads=4,
        head_dim=4,
        dropout=0.1,
        kernel_initializer="he_normal",
        num_key_value_heads=2,
        use_bias=False,
        scale_scores=False,
        residual_initializer="zeros",
        is_cross=True,
        name="attend",
    )
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert rebuilt.get_config() == layer.get_config()


@pytest.mark.parametrize("num_key_value_heads", [None, 2])
def test_shapes_are_known_without_computing(num_key_value_heads):
    layer = MultiHeadAttention(num_heads=4, head_dim=4, num_key_value_heads=num_key_value_heads)
    output, scores = layer(keras.Input((5, 12)), return_attention_scores=True)
    assert output.shape == (None, 5, 12)
    assert scores.shape == (None, 4, 5, 5)


def test_no_heads_is_an_error():
    with pytest.raises(ValueError, match="num_heads=0"):
        MultiHeadAttention(num_heads=0, head_dim=4)


def test_heads_that_cannot_be_shared_equally_are_an_error():
    with pytest.raises(ValueError, match="num_key_value_heads=2"):
        MultiHeadAttention(num_heads=3, head_dim=4, num_key_value_heads=2)
