import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.models.gradients import gradients_rematerialized
from tfplm.models.configuration import LstmSeq2SeqConfig
from tfplm.models.lstm_seq2seq import LstmSeq2Seq

CONFIG = LstmSeq2SeqConfig(vocabulary_size=50, num_layers=2, embedding_dim=6, hidden_dim=8, initializer_range=0.5)
RANDOM = np.random.default_rng(0)
SOURCE = RANDOM.integers(1, 50, (2, 7)).astype("int32")
TARGET = np.pad(RANDOM.integers(1, 50, (2, 4)), ((0, 0), (1, 0))).astype("int32")
INPUTS = {"token_ids": SOURCE, "decoder_token_ids": TARGET}


def read(model: LstmSeq2Seq, **changes) -> np.ndarray:
    return ops.convert_to_numpy(model({**INPUTS, **changes})["sequence_output"])


def test_every_variable_exists_after_construction():
    model = LstmSeq2Seq(CONFIG.model_copy(update={"dropout": 0.0}))
    paths = [weight.path for weight in model.weights]
    model(INPUTS)
    assert [weight.path for weight in model.weights] == paths
    assert len(set(paths)) == len(paths) == 1 + 2 * 6 + 2 * 3 + 3 + 2 * 2


def test_the_decoder_sees_all_of_the_source_and_nothing_behind_itself():
    model = LstmSeq2Seq(CONFIG)
    before = read(model)
    for column in range(1, 5):
        changed = TARGET.copy()
        changed[:, column:] = changed[:, column:] % 49 + 1
        after = read(model, decoder_token_ids=changed)
        np.testing.assert_array_equal(before[:, :column], after[:, :column])
        assert (np.abs(before[:, column:] - after[:, column:]).max(-1) > 1e-5).all()
    for column in (0, 6):
        changed = SOURCE.copy()
        changed[:, column] = changed[:, column] % 49 + 1
        assert (np.abs(before - read(model, token_ids=changed)).max(-1) > 1e-5).all()


def test_padding_of_the_source_changes_nothing_however_it_is_told():
    model = LstmSeq2Seq(CONFIG)
    alone = read(model)
    padded = np.pad(SOURCE, ((0, 0), (0, 4)))
    garbage = np.where(padded == 0, 9, padded)
    mask = (padded != 0).astype("int32")
    for changes in (
        {"token_ids": padded},
        {"token_ids": garbage, "padding_mask": mask.astype(bool)},
        {"token_ids": garbage, "packing_ids": mask},
    ):
        np.testing.assert_allclose(read(model, **changes), alone, atol=1e-6)


def test_rematerialize_is_taken_and_changes_nothing():
    model = LstmSeq2Seq(CONFIG)
    inputs = {**INPUTS, "row_seeds": np.array([5, -6], "int32")}
    assert all(gradient.any() for gradient in gradients_rematerialized(model, inputs))


def test_mixed_bfloat16_runs(mixed_bfloat16):
    output = LstmSeq2Seq(CONFIG)(INPUTS)["sequence_output"]
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    assert np.isfinite(ops.convert_to_numpy(ops.cast(output, "float32"))).all()


def test_keras_file_gives_the_same_outputs(tmp_path):
    model = LstmSeq2Seq(CONFIG)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.config == CONFIG
    np.testing.assert_array_equal(read(loaded), read(model))


def test_open_vocabulary_size_is_an_error():
    with pytest.raises(ValueError, match="vocabulary_size None"):
        LstmSeq2Seq(LstmSeq2SeqConfig())
