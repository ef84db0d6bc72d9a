import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.attention import KeysValues
from tfplm.layers.masks import causal_attention_mask
from tfplm.layers.transformer_block import BlockCache, TransformerBlock, build_norm

RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.normal(size=(2, 5, 8)).astype("float32")
SOURCE = RANDOM.normal(size=(2, 3, 8)).astype("float32")
SOURCE_MASK = np.array([[1, 1, 1], [1, 0, 0]], bool)[:, None, None]


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


def test_a_source_is_attended_to_between_the_two_other_parts():
    block = built_block(norm_first=True, has_source=True)
    assert len(block.weights) == 12 + 6 + 2
    expected = HIDDEN + block.attention(block.attention_norm(HIDDEN))
    expected = expected + block.source_attention(block.source_norm(expected), SOURCE_MASK, source=SOURCE)
    expected = expected + block.feed_forward(block.feed_forward_norm(expected))
    got = block(HIDDEN, source=SOURCE, source_mask=SOURCE_MASK)
    np.testing.assert_allclose(ops.convert_to_numpy(got), ops.convert_to_numpy(expected), atol=1e-6)


def test_rms_norm_divides_by_the_root_of_the_mean_square():
    norm = build_norm("rms_norm", 0.1)
    norm.build(HIDDEN.shape)
    scale = RANDOM.normal(size=8).astype("float32")
    norm.set_weights([scale])
    expected = HIDDEN / np.sqrt((HIDDEN**2).mean(-1, keepdims=True) + 0.1) * scale
    np.testing.assert_allclose(ops.convert_to_numpy(norm(HIDDEN)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "num_weights"),
    [
        ({"use_bias": False}, 4 + 2),
        ({"norm": "rms_norm"}, 8 + 2),
        ({"norm": "rms_norm", "use_bias": False, "has_source": True}, 7 + 3),
    ],
)
def test_without_biases_there_are_matrices_and_scales_alone(changes, num_weights):
    names = [weight.path.split("/")[-1] for weight in built_block(**changes).weights]
    assert len(names) == num_weights
    assert ("bias" in names, "beta" in names) == (changes.get("use_bias", True), False)


def test_heads_may_be_of_any_width_and_shared():
    block = built_block(head_dim=6, num_key_value_heads=1, scale_scores=False)
    assert block.attention.qkv.kernel.shape == (8, (2 + 1 + 1) * 6)
    assert block(HIDDEN).shape == (2, 5, 8)


def test_the_last_layer_of_every_part_begins_with_the_residual_initializer():
    block = built_block(has_source=True, norm_first=True, residual_initializer="zeros")
    unchanged = block(HIDDEN, source=SOURCE)
    np.testing.assert_array_equal(ops.convert_to_numpy(unchanged), HIDDEN)


@pytest.mark.parametrize("norm_first", [False, True])
def test_with_a_cache_it_gives_what_it_gives_without(norm_first):
    block = built_block(has_source=True, norm="rms_norm", norm_first=norm_first, num_key_value_heads=1)
    causal, source_mask = causal_attention_mask(5), ops.convert_to_tensor(SOURCE_MASK)
    expected = ops.convert_to_numpy(block(HIDDEN, causal, SOURCE, source_mask))
    got, cache = block.prefill(HIDDEN[:, :2], causal[:, :, :2, :2], SOURCE, source_mask)
    np.testing.assert_allclose(ops.convert_to_numpy(got), expected[:, :2], atol=1e-5)
    room = [[0, 0], [0, 0], [0, 3], [0, 0]]
    cache = BlockCache(KeysValues(*(ops.pad(part, room) for part in cache.own)), cache.of_source)
    for index in range(2, 5):
        one = slice(index, index + 1)
        got, cache = block.decode(HIDDEN[:, one], cache, index, causal[:, :, one], source_mask)
        np.testing.assert_allclose(ops.convert_to_numpy(got), expected[:, one], atol=1e-5)


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
    block = built_block(
        norm_first=True,
        activation="swiglu",
        norm="rms_norm",
        head_dim=6,
        num_key_value_heads=1,
        use_bias=False,
        scale_scores=False,
        residual_initializer="zeros",
        intermediate_dropout=0.2,
        has_source=True,
    )
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(block))
    assert rebuilt.get_config() == block.get_config()
