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


def published_bucket(relative_position, bidirectional, num_buckets, max_distance):
    """The formula of Raffel et al. 2020 as their code has it, `_relative_position_bucket`, in float32."""
    buckets = 0
    n = -relative_position
    if bidirectional:
        num_buckets //= 2
        buckets += (n < 0).astype("int32") * num_buckets
        n = np.abs(n)
    else:
        n = np.maximum(n, 0)
    max_exact = num_buckets // 2
    with np.errstate(divide="ignore"):
        large = np.log(n.astype("float32") / np.float32(max_exact))
    large = max_exact + (large / np.float32(np.log(max_distance / max_exact)) * (num_buckets - max_exact)).clip(
        0
    ).astype("int32")
    return buckets + np.where(n < max_exact, n, np.minimum(large, num_buckets - 1))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (16, 64), (64, 256), (32, 1000)])
def test_every_distance_has_the_bucket_of_the_published_code(bidirectional, num_buckets, max_distance):
    layer = RelativePositionBias(1, num_buckets, max_distance, bidirectional=bidirectional)
    distances = np.arange(-1200, 1200)
    expected = published_bucket(distances, bidirectional, num_buckets, max_distance)
    assert expected.max() == num_buckets - 1
    np.testing.assert_array_equal(layer.bucket(distances), expected)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_query_has_the_bias_of_its_row(bidirectional):
    layer = RelativePositionBias(3, 8, 12, "random_normal", bidirectional=bidirectional)
    whole = ops.convert_to_numpy(layer(ops.ones((1, 20), "int32")))
    for index in (0, 7, 19):
        row = ops.convert_to_numpy(layer.of_query(ops.convert_to_tensor(index, "int32"), 20))
        assert row.shape == (1, 3, 1, 20)
        np.testing.assert_array_equal(row[..., : index + 1], whole[:, :, index : index + 1, : index + 1])


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
    layer = RelativePositionBias(2, num_buckets=16, max_distance=64, bidirectional=False, name="bias")
    again = RelativePositionBias.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert keras.saving.get_registered_name(RelativePositionBias) == "tfplm>RelativePositionBias"
