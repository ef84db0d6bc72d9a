import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.relative_position_bias import RelativePositionBias


def test_near_distances_have_a_bucket_each_and_far_ones_share():
    layer = RelativePositionBias(num_heads=1, num_buckets=32, max_distance=128)
    assert layer.bucket(np.arange(0, -8, -1)).tolist() == list(range(8))
    assert layer.bucket(np.arange(1, 8)).tolist() == list(range(17, 24))
    back = layer.bucket(-np.arange(300))
    assert (np.diff(back) >= 0).all()
    assert set(back[128:]) == {15}
    assert set(layer.bucket(np.arange(128, 300))) == {31}


def test_the_widening_is_logarithmic_as_in_the_paper():
    layer = RelativePositionBias(num_heads=1, num_buckets=32, max_distance=128)
    for distance in (9, 20, 50, 100):
        expected = 8 + int(np.log(distance / 8) / np.log(128 / 8) * 8)
        assert layer.bucket(np.array(-distance)) == expected


def test_the_bias_depends_on_the_distance_alone():
    layer = RelativePositionBias(num_heads=3, embeddings_initializer="random_normal")
    bias = ops.convert_to_numpy(layer(ops.ones((2, 20), "int32")))
    assert bias.shape == (1, 3, 20, 20)
    np.testing.assert_array_equal(bias[0, :, 1:, 1:], bias[0, :, :-1, :-1])
    assert (bias[0, 0, 5, 6] != bias[0, 0, 6, 5]).all()


@pytest.mark.parametrize("wrong", [{"num_buckets": 7}, {"max_distance": 8}])
def test_impossible_buckets_are_errors(wrong):
    with pytest.raises(ValueError, match="expected"):
        RelativePositionBias(num_heads=1, **wrong)


def test_config_rebuilds_the_layer():
    layer = RelativePositionBias(num_heads=2, num_buckets=16, max_distance=64, name="bias")
    again = RelativePositionBias.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert keras.saving.get_registered_name(RelativePositionBias) == "tfplm>RelativePositionBias"
