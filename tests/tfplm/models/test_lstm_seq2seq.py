from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.compiled import quickest
from tests.tfplm.models.gradients import gradients_rematerialized
from tfplm.models.configuration import LstmSeq2SeqConfig
from tfplm.models.lstm_seq2seq import LstmSeq2Seq

CONFIG = LstmSeq2SeqConfig(vocabulary_size=50, num_layers=2, embedding_dim=6, hidden_dim=8, initializer_range=0.5)
RANDOM = np.random.default_rng(0)
SOURCE = RANDOM.integers(1, 50, (2, 7)).astype("int32")
TARGET = np.pad(RANDOM.integers(1, 50, (2, 4)), ((0, 0), (1, 0))).astype("int32")
INPUTS = {"token_ids": SOURCE, "decoder_token_ids": TARGET}


def reader(model: LstmSeq2Seq) -> Callable[..., np.ndarray]:
    read = quickest(lambda inputs: model(inputs)["sequence_output"])
    return lambda **changes: ops.convert_to_numpy(read({**INPUTS, **changes}))


def test_every_variable_exists_after_construction():
    model = LstmSeq2Seq(CONFIG.model_copy(update={"dropout": 0.0}))
    paths = [weight.path for weight in model.weights]
    model(INPUTS)
    assert [weight.path for weight in model.weights] == paths
    assert len(set(paths)) == len(paths) == 1 + 2 * 6 + 2 * 3 + 3 + 2 * 2


def test_the_decoder_sees_all_of_the_source_and_nothing_behind_itself():
    read = reader(LstmSeq2Seq(CONFIG))
    before = read()
    for column in range(1, 5):
        changed = TARGET.copy()
        changed[:, column:] = changed[:, column:] % 49 + 1
        after = read(decoder_token_ids=changed)
        np.testing.assert_array_equal(before[:, :column], after[:, :column])
        assert (np.abs(before[:, column:] - after[:, column:]).max(-1) > 1e-5).all()
    for column in (0, 6):
        changed = SOURCE.copy()
        changed[:, column] = changed[:, column] % 49 + 1
        assert (np.abs(before - read(token_ids=changed)).max(-1) > 1e-5).all()


def test_padding_of_the_source_changes_nothing_however_it_is_told():
    read = reader(LstmSeq2Seq(CONFIG))
    alone = read()
    padded = np.pad(SOURCE, ((0, 0), (0, 4)))
    garbage = np.where(padded == 0, 9, padded)
    mask = (padded != 0).astype("int32")
    for changes in (
        {"token_ids": padded},
        {"token_ids": garbage, "padding_mask": mask.astype(bool)},
        {"token_ids": garbage, "packing_ids": mask},
    ):
        np.testing.assert_allclose(read(**changes), alone, atol=1e-6)


def test_rematerialize_is_taken_and_changes_nothing():
    model = LstmSeq2Seq(CONFIG)
    inputs = {**INPUTS, "row_seeds": np.array([5, -6], "int32")}
    assert all(gradient.any() for gradient in gradients_rematerialized(model, inputs))


def test_config_rebuilds_the_model():
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(LstmSeq2Seq(CONFIG)))
    assert rebuilt.config == CONFIG


def test_open_vocabulary_size_is_an_error():
    with pytest.raises(ValueError, match="vocabulary_size None"):
        LstmSeq2Seq(LstmSeq2SeqConfig())
