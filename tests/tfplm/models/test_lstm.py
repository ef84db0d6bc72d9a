import keras
import numpy as np
import pytest
from keras import ops

from tfplm.models.configuration import LstmConfig
from tfplm.models.lstm import Lstm

CONFIG = LstmConfig(vocabulary_size=50, num_layers=2, embedding_dim=6, hidden_dim=8)
IDS = np.random.default_rng(0).integers(1, 50, (3, 7)).astype("int32")


def variant(**changes) -> Lstm:
    return Lstm(CONFIG.model_copy(update=changes))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "max", "mean"])
def test_padding_changes_nothing(bidirectional, pooling):
    lstm = variant(bidirectional=bidirectional, pooling=pooling)
    alone = lstm({"token_ids": IDS})
    padded = np.pad(IDS, ((0, 0), (0, 5)))
    garbage = np.where(padded == 0, 9, padded)
    mask = (padded != 0).astype("int32")
    for inputs in (
        {"token_ids": padded},
        {"token_ids": garbage, "padding_mask": mask},
        {"token_ids": garbage, "packing_ids": mask},
    ):
        outputs = lstm(inputs)
        for name, length in (("sequence_output", 7), ("pooled_output", None)):
            got, expected = (ops.convert_to_numpy(x[name]) for x in (outputs, alone))
            np.testing.assert_allclose(got[:, :length] if length else got, expected, atol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_rows_do_not_see_each_other(bidirectional):
    lstm = variant(bidirectional=bidirectional)
    first, second = IDS[:1, :3], IDS[1:2, :4]
    packed = {"token_ids": np.concatenate([first, second], axis=1), "packing_ids": np.array([[1] * 3 + [2] * 4])}
    got = ops.convert_to_numpy(lstm(packed)["sequence_output"])
    alone = [ops.convert_to_numpy(lstm({"token_ids": ids})["sequence_output"]) for ids in (first, second)]
    np.testing.assert_allclose(got, np.concatenate(alone, axis=1), atol=1e-6)


def test_last_pooling_takes_the_end_of_each_direction():
    lstm = variant(pooling="last")
    outputs = lstm({"token_ids": np.pad(IDS, ((0, 0), (0, 2)))})
    sequence, pooled = (ops.convert_to_numpy(outputs[name]) for name in ("sequence_output", "pooled_output"))
    np.testing.assert_array_equal(pooled[:, :8], sequence[:, 6, :8])
    np.testing.assert_array_equal(pooled[:, 8:], sequence[:, 0, 8:])


def test_forward_lstm_does_not_look_ahead():
    lstm = variant(bidirectional=False)
    changed = IDS.copy()
    changed[:, 4:] = 1
    before, after = (ops.convert_to_numpy(lstm({"token_ids": x})["sequence_output"]) for x in (IDS, changed))
    np.testing.assert_array_equal(before[:, :4], after[:, :4])


@pytest.mark.parametrize(("bidirectional", "width"), [(False, 8), (True, 16)])
def test_outputs_have_the_width_that_it_names(bidirectional, width):
    lstm = variant(bidirectional=bidirectional)
    outputs = lstm({"token_ids": keras.Input((7,), dtype="int32")})
    assert outputs["sequence_output"].shape == (None, 7, width)
    assert outputs["pooled_output"].shape == (None, width)
    assert lstm.output_dim == width


def test_every_variable_exists_after_construction():
    lstm = Lstm(CONFIG)
    paths = [weight.path for weight in lstm.weights]
    lstm({"token_ids": IDS})
    assert [weight.path for weight in lstm.weights] == paths
    assert len(set(paths)) == len(paths) == 1 + 2 * 2 * 3


def test_row_of_padding_alone_is_finite():
    outputs = Lstm(CONFIG)({"token_ids": np.zeros((1, 7), "int32")})
    assert np.isfinite(ops.convert_to_numpy(outputs["pooled_output"])).all()


def test_config_rebuilds_the_model():
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(Lstm(CONFIG)))
    assert rebuilt.config == CONFIG


def test_mixed_bfloat16_runs(mixed_bfloat16):
    outputs = Lstm(CONFIG)({"token_ids": IDS})
    assert keras.backend.standardize_dtype(outputs["pooled_output"].dtype) == "bfloat16"


def test_open_vocabulary_size_is_an_error():
    with pytest.raises(ValueError, match="vocabulary_size None"):
        Lstm(LstmConfig())
