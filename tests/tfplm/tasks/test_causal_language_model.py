import keras
import numpy as np
import pytest
from keras import ops

from tfplm.models.configuration import GptConfig, LstmConfig
from tfplm.models.gpt import Gpt
from tfplm.models.lstm import Lstm
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel

CYCLE = (np.arange(13)[None] + np.arange(6)[:, None]) % 5 + 1  # each id is followed by the next of 1 to 5
INPUTS, TARGETS = {"token_ids": CYCLE[:, :-1].astype("int32")}, {"next_token": CYCLE[:, 1:]}


def build(embedding_dim: int = 8) -> CausalLanguageModel:
    config = LstmConfig(
        vocabulary_size=9, embedding_dim=embedding_dim, hidden_dim=8, bidirectional=False, dropout=0.0, num_layers=1
    )
    return CausalLanguageModel(Lstm(config), CausalLmConfig())


@pytest.mark.parametrize("embedding_dim", [8, 5])
def test_output_weights_are_the_embeddings(embedding_dim):
    model = build(embedding_dim)
    hidden = ops.convert_to_numpy(model.encoder(INPUTS)["sequence_output"])
    if embedding_dim != 8:
        kernel, bias = (ops.convert_to_numpy(weight) for weight in model.projection.weights)
        hidden = hidden @ kernel + bias
    expected = hidden @ ops.convert_to_numpy(model.encoder.token_embedding.embeddings).T
    np.testing.assert_allclose(ops.convert_to_numpy(model(INPUTS)["next_token"]), expected, atol=1e-5)
    assert (model.projection is None) == (embedding_dim == 8)


@pytest.mark.parametrize("tie_embeddings", [True, False])
def test_output_weights_of_a_gpt_are_the_embeddings_or_its_own(tie_embeddings):
    config = GptConfig(
        vocabulary_size=500, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8, tie_embeddings=tie_embeddings
    )
    model = CausalLanguageModel(Gpt(config), CausalLmConfig())
    embedding = model.encoder.token_embedding if tie_embeddings else model.output_embedding
    assert (model.output_embedding is model.encoder.token_embedding) == tie_embeddings
    hidden = ops.convert_to_numpy(model.encoder(INPUTS)["sequence_output"])
    expected = hidden @ ops.convert_to_numpy(embedding.embeddings).T
    np.testing.assert_allclose(ops.convert_to_numpy(model(INPUTS)["next_token"]), expected, atol=1e-5)
    assert ops.convert_to_numpy(embedding.embeddings).std() == pytest.approx(0.02, rel=0.05)
    assert model.output_bias is None


def test_no_position_sees_what_it_has_to_predict():
    model = build()
    changed = {"token_ids": INPUTS["token_ids"].copy()}
    changed["token_ids"][:, 6:] = 7
    before, after = (ops.convert_to_numpy(model(x)["next_token"]) for x in (INPUTS, changed))
    np.testing.assert_array_equal(before[:, :6], after[:, :6])


def test_fit_learns_a_cycle():
    keras.utils.set_random_seed(1)
    model = build()
    model.compile_for_training(keras.optimizers.Adam(0.05))
    weights = {"next_token": np.ones(TARGETS["next_token"].shape, "float32")}
    history = model.fit(INPUTS, TARGETS, sample_weight=weights, epochs=60, verbose=0).history
    assert history["next_token_accuracy"][-1] > 0.9
    assert history["next_token_perplexity"][-1] < 2.0


def test_bidirectional_encoder_is_an_error():
    with pytest.raises(ValueError, match="bidirectional"):
        CausalLanguageModel(Lstm(LstmConfig(vocabulary_size=9)), CausalLmConfig())


def test_config_rebuilds_the_task():
    model = build(5)
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert rebuilt.encoder.config == model.encoder.config
    assert len(rebuilt.weights) == len(model.weights)
