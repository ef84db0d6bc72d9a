import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.dropout import Dropout

ONES = np.ones((64, 33, 31), dtype="float32")  # an odd last dimension: half of the last random word is left over


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_share_and_mean_are_those_asked_for(dtype):
    output = Dropout(0.1, seed=1, dtype=dtype)(ops.cast(ONES, dtype), training=True)
    values = ops.convert_to_numpy(ops.cast(output, "float32"))
    assert values.shape == ONES.shape
    assert abs((values == 0.0).mean() - 0.1) < 0.005
    assert abs(values.mean() - 1.0) < 0.008  # 1/0.9 is rounded in bfloat16
    kept = values[values > 0.0]
    np.testing.assert_allclose(kept, 1 / 0.9, rtol=4e-3)


def test_neighbours_are_independent():
    dropped = ops.convert_to_numpy(Dropout(0.5, seed=2)(np.ones((200, 200), "float32"), training=True)) == 0.0
    assert abs((dropped[:, 0::2] & dropped[:, 1::2]).mean() - 0.25) < 0.01  # the two halves of one word
    assert abs((dropped[:, :-2] & dropped[:, 2:]).mean() - 0.25) < 0.01


def test_every_call_draws_anew_and_a_seed_repeats():
    first, second = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    draws = [ops.convert_to_numpy(first(ONES, training=True)) for _ in range(2)]
    assert (draws[0] != draws[1]).any()
    np.testing.assert_array_equal(draws[0], ops.convert_to_numpy(second(ONES, training=True)))


def test_a_rows_mask_follows_from_its_seed_wherever_the_row_stands():
    layer, seeds = Dropout(0.5, seed=4), np.array([11, -7, 11, 0], "int32")
    whole = ops.convert_to_numpy(layer(ONES[:4], seeds, training=True))
    np.testing.assert_array_equal(whole[0], whole[2])
    assert (whole[0] != whole[1]).mean() > 0.45
    np.testing.assert_array_equal(whole[1:3], ops.convert_to_numpy(layer(ONES[:2], seeds[1:3], training=True)))
    other_layer = ops.convert_to_numpy(Dropout(0.5, seed=5)(ONES[:4], seeds, training=True))
    assert (whole != other_layer).mean() > 0.45


def test_the_masks_of_successive_rows_and_of_successive_seeds_are_independent():
    seeds = np.arange(400, dtype="int32")
    dropped = ops.convert_to_numpy(Dropout(0.5, seed=6)(np.ones((400, 400), "float32"), seeds, training=True)) == 0.0
    next_layer = ops.convert_to_numpy(Dropout(0.5, seed=7)(np.ones((400, 400), "float32"), seeds, training=True)) == 0.0
    for one, other in [(dropped[1:], dropped[:-1]), (dropped, next_layer), (dropped[:, 4:], dropped[:, :-4])]:
        assert abs((one & other).mean() - 0.25) < 0.01


def test_nothing_happens_without_training_or_rate():
    assert (ops.convert_to_numpy(Dropout(0.5)(ONES)) == ONES).all()
    assert (ops.convert_to_numpy(Dropout(0.0)(ONES, training=True)) == ONES).all()


def test_rate_next_to_one_leaves_finite_numbers():
    assert np.isfinite(ops.convert_to_numpy(Dropout(0.999999)(ONES, training=True))).all()


def test_rate_of_one_is_an_error():
    with pytest.raises(ValueError, match="rate=1.0"):
        Dropout(1.0)


def test_config_rebuilds_the_layer():
    layer = Dropout(0.3, seed=5)
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert rebuilt.get_config() == layer.get_config()
