import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.models.gradients import gradients_rematerialized, loss_and_gradients
from tfplm.models.bert import Bert
from tfplm.models.configuration import BertConfig

CONFIG = BertConfig(
    vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=32, max_sequence_length=12
)
IDS = np.random.default_rng(0).integers(1, 50, (2, 8)).astype("int32")


def encode(bert: Bert, **inputs) -> np.ndarray:
    return ops.convert_to_numpy(bert(inputs)["sequence_output"])


def test_every_variable_exists_after_construction():
    bert = Bert(CONFIG)
    paths = [weight.path for weight in bert.weights]
    bert({"token_ids": IDS})
    assert [weight.path for weight in bert.weights] == paths
    assert len(set(paths)) == len(paths) == 3 + 2 + 2 * 12 + 2


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "relative"])
def test_documents_packed_into_a_row_are_encoded_as_if_alone(positions):
    bert = Bert(CONFIG.model_copy(update={"position_embedding": positions}))
    for weight in bert.trainable_variables:  # relative positions begin at zero, where nothing would be shown
        weight.assign(np.random.default_rng(1).normal(0, 0.5, weight.shape))
    packed = encode(
        bert,
        token_ids=IDS[:1],
        packing_ids=np.array([[1, 1, 1, 2, 2, 2, 2, 0]], "int32"),
        position_ids=np.array([[0, 1, 2, 0, 1, 2, 3, 0]], "int32"),
    )
    np.testing.assert_allclose(packed[:, :3], encode(bert, token_ids=IDS[:1, :3]), atol=1e-5)
    np.testing.assert_allclose(packed[:, 3:7], encode(bert, token_ids=IDS[:1, 3:7]), atol=1e-5)


def test_padding_changes_nothing_however_it_is_told():
    bert = Bert(CONFIG)
    alone = encode(bert, token_ids=IDS)
    padded = np.pad(IDS, ((0, 0), (0, 4)))
    garbage = np.pad(IDS, ((0, 0), (0, 4)), constant_values=9)
    mask = (padded != 0).astype("int32")
    for inputs in (
        {"token_ids": padded},
        {"token_ids": garbage, "padding_mask": mask},
        {"token_ids": garbage, "padding_mask": mask.astype(bool)},
        {"token_ids": garbage, "packing_ids": mask},
    ):
        np.testing.assert_allclose(encode(bert, **inputs)[:, :8], alone, atol=1e-5)


def test_defaults_are_first_segment_and_counted_positions():
    bert = Bert(CONFIG)
    spelled_out = encode(
        bert, token_ids=IDS, segment_ids=np.zeros_like(IDS), position_ids=np.tile(np.arange(8, dtype="int32"), (2, 1))
    )
    np.testing.assert_allclose(encode(bert, token_ids=IDS), spelled_out, atol=1e-6)
    assert np.abs(encode(bert, token_ids=IDS, segment_ids=np.ones_like(IDS)) - spelled_out).max() > 1e-3


@pytest.mark.parametrize("norm_first", [False, True])
def test_hidden_states_and_scores_come_on_request(norm_first):
    bert = Bert(CONFIG.model_copy(update={"norm_first": norm_first}))
    outputs = bert({"token_ids": IDS}, return_hidden_states=True, return_attention_scores=True)
    assert [state.shape for state in outputs["hidden_states"]] == [(2, 8, 16)] * 3
    assert [scores.shape for scores in outputs["attention_scores"]] == [(2, 2, 8, 8)] * 2
    last, sequence = (ops.convert_to_numpy(x) for x in (outputs["hidden_states"][-1], outputs["sequence_output"]))
    np.testing.assert_array_equal(last, sequence)
    np.testing.assert_allclose(sequence.mean(-1), 0.0, atol=1e-5)  # the stack ends with a norm either way
    plain = bert({"token_ids": IDS})
    assert set(plain) == {"sequence_output", "pooled_output"}
    np.testing.assert_array_equal(ops.convert_to_numpy(plain["sequence_output"]), sequence)


def test_sinusoidal_positions_have_no_weights():
    bert = Bert(CONFIG.model_copy(update={"position_embedding": "sinusoidal"}))
    assert len(bert.weights) == len(Bert(CONFIG).weights) - 1
    assert encode(bert, token_ids=IDS).shape == (2, 8, 16)


def test_initial_weights_are_a_truncated_normal():
    kernel = ops.convert_to_numpy(Bert(CONFIG).token_embedding.embeddings)
    assert np.abs(kernel).max() <= 0.04 + 1e-6
    assert 0.015 < kernel.std() < 0.02


def test_mixed_bfloat16_is_near_float32(mixed_bfloat16):
    mixed = Bert(CONFIG)
    keras.mixed_precision.set_global_policy("float32")
    exact = Bert(CONFIG)
    exact.set_weights(mixed.get_weights())
    output = mixed({"token_ids": IDS})["sequence_output"]
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(output, "float32")), encode(exact, token_ids=IDS), atol=0.06
    )


def test_is_usable_in_a_functional_model():
    inputs = {"token_ids": keras.Input((8,), dtype="int32")}
    outputs = Bert(CONFIG)(inputs)
    assert outputs["sequence_output"].shape == (None, 8, 16)
    assert outputs["pooled_output"].shape == (None, 16)


def test_config_rebuilds_the_model():
    bert = Bert(CONFIG)
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(bert))
    assert rebuilt.config == CONFIG


def test_keras_file_gives_the_same_outputs(tmp_path):
    bert = Bert(CONFIG)
    bert.save(tmp_path / "bert.keras")
    loaded = keras.saving.load_model(tmp_path / "bert.keras")
    np.testing.assert_array_equal(encode(loaded, token_ids=IDS), encode(bert, token_ids=IDS))


def test_open_vocabulary_size_and_too_long_rows_are_errors():
    with pytest.raises(ValueError, match="vocabulary_size None"):
        Bert(BertConfig())
    with pytest.raises(ValueError, match="sequence of 13"):
        Bert(CONFIG)({"token_ids": np.ones((1, 13), "int32")})


def test_rematerialized_it_has_the_same_gradients():
    bert = Bert(CONFIG.model_copy(update={"position_embedding": "relative", "dropout": 0.3, "norm_first": True}))
    inputs = {"token_ids": IDS, "row_seeds": np.array([5, -6], "int32")}
    assert (
        sum(gradient.any() for gradient in gradients_rematerialized(bert, inputs)) == len(bert.trainable_variables) - 2
    )


def test_rematerialized_without_row_seeds_both_passes_drop_the_same():
    bert = Bert(CONFIG.model_copy(update={"num_layers": 1, "dropout": 0.3, "norm_first": True}))
    bert.rematerialize = True
    _, gradients = loss_and_gradients(bert, {"token_ids": IDS})
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    before, losses = bert.get_weights(), []
    for step in (0.005, -0.005):
        for variable, gradient in zip(bert.trainable_variables, gradients, strict=True):
            variable.assign_add(step / norm * gradient)
        losses.append(loss_and_gradients(bert, {"token_ids": IDS})[0])
        bert.set_weights(before)
    assert (losses[0] - losses[1]) / 0.01 == pytest.approx(norm, rel=1e-2)
