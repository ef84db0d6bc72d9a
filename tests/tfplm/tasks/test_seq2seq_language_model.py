import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.compiled import quickest
from tests.tfplm.tasks.writers import ENCODER_DECODERS, build_writer, inputs_of, whole_pass
from tfplm.models.build import build_model
from tfplm.models.configuration import T5Config
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel


@pytest.mark.parametrize("kind", ENCODER_DECODERS)
def test_output_weights_are_the_embeddings_unless_a_t5_has_its_own(kind):
    task, inputs = build_writer(kind), inputs_of(kind)
    hidden = ops.convert_to_numpy(quickest(lambda inputs: task.encoder(inputs)["sequence_output"])(inputs))
    weights, bias = task.encoder.token_embedding.get_weights()[0], 0.0
    if kind == "t5":
        assert task.output_embedding is not task.encoder.token_embedding
        weights = task.output_embedding.get_weights()[0]
    elif kind == "t5_original":
        hidden = hidden / np.sqrt(16)
    else:
        bias = ops.convert_to_numpy(task.output_bias.bias)
    np.testing.assert_allclose(whole_pass(task)(inputs), hidden @ weights.T + bias, atol=1e-5)


def test_output_weights_of_their_own_begin_small():
    config = T5Config(num_layers=1, num_heads=1, head_dim=4, hidden_dim=64, intermediate_dim=8, initializer_factor=2.0)
    task = Seq2SeqLanguageModel(build_model(config, 400), Seq2SeqLmConfig())
    deviation = ops.convert_to_numpy(task.output_embedding.embeddings).std()
    assert deviation == pytest.approx(2.0 / np.sqrt(64), rel=0.03)


def test_fit_learns_to_write_the_source_backwards():
    keras.utils.set_random_seed(1)
    config = T5Config(num_layers=1, num_heads=2, head_dim=8, hidden_dim=16, intermediate_dim=16, dropout=0.0)
    task = Seq2SeqLanguageModel(build_model(config, 6), Seq2SeqLmConfig())
    task.compile_for_training(keras.optimizers.Adam(0.02))
    sources = np.random.default_rng(0).integers(1, 6, (32, 2)).astype("int32")
    targets = sources[:, ::-1]
    inputs = {"token_ids": sources, "decoder_token_ids": np.pad(targets[:, :-1], ((0, 0), (1, 0)))}
    weights = {"next_token": np.ones(targets.shape, "float32")}
    history = task.fit(inputs, {"next_token": targets}, sample_weight=weights, epochs=60, verbose=0)
    assert history.history["next_token_accuracy"][-1] > 0.9
    assert history.history["next_token_perplexity"][-1] < 1.5
