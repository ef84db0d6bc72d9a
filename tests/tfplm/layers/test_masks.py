import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.masks import (
    attention_bias,
    causal_attention_mask,
    packing_attention_mask,
    padding_attention_mask,
)


def test_packing_mask_joins_equal_ids_only():
    mask = ops.convert_to_numpy(packing_attention_mask(ops.convert_to_tensor([[1, 1, 2, 0]])))
    expected = [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, False],
        [False] * 3 + [True],
    ]
    assert mask.shape == (1, 1, 4, 4)
    np.testing.assert_array_equal(mask[0, 0], expected)


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_padding_mask_hides_the_padding_from_every_query(dtype):
    mask = ops.convert_to_numpy(padding_attention_mask(ops.cast(ops.convert_to_tensor([[1, 1, 0]]), dtype)))
    assert mask.shape == (1, 1, 1, 3)
    np.testing.assert_array_equal(mask[0, 0, 0], [True, True, False])


def test_causal_mask_shows_every_token_itself_and_those_before():
    mask = ops.convert_to_numpy(causal_attention_mask(3))
    assert mask.shape == (1, 1, 3, 3)
    np.testing.assert_array_equal(mask[0, 0], [[True, False, False], [True, True, False], [True, True, True]])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_bias_hides_and_stays_finite_in_every_float_type(dtype):
    bias = attention_bias(ops.convert_to_tensor([True, False]), dtype)
    assert keras.backend.standardize_dtype(bias.dtype) == dtype
    probabilities = ops.convert_to_numpy(ops.cast(ops.softmax(bias), "float32"))
    np.testing.assert_array_equal(probabilities, [1.0, 0.0])
    nothing_visible = ops.softmax(attention_bias(ops.convert_to_tensor([False, False]), dtype))
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.cast(nothing_visible, "float32")), [0.5, 0.5])
