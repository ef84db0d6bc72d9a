import keras
import numpy as np
import pytest
from keras import ops
from pydantic import ValidationError

from tests.tfplm.models.gradients import gradients_rematerialized
from tfplm.models.configuration import T5Config
from tfplm.models.t5 import T5

CONFIG = T5Config(
    vocabulary_size=50,
    num_layers=1,
    num_decoder_layers=2,
    num_heads=2,
    head_dim=6,
    hidden_dim=16,
    intermediate_dim=24,
    num_buckets=8,
    max_distance=10,
)
RANDOM = np.random.default_rng(0)
SOURCE = RANDOM.integers(1, 50, (2, 8)).astype("int32")
TARGET = np.pad(RANDOM.integers(1, 50, (2, 5)), ((0, 0), (1, 0))).astype("int32")
INPUTS = {"token_ids": SOURCE, "decoder_token_ids": TARGET}


def read(t5: T5, **changes) -> np.ndarray:
    return ops.convert_to_numpy(t5({**INPUTS, **changes})["sequence_output"])


def test_every_variable_exists_after_construction():
    t5 = T5(CONFIG.model_copy(update={"dropout": 0.0}))
    paths = [weight.path for weight in t5.weights]
    t5(INPUTS)
    assert [weight.path for weight in t5.weights] == paths
    assert len(set(paths)) == len(paths) == 1 + (1 + 6 + 1) + (1 + 2 * 10 + 1)


def test_the_decoder_sees_all_of_the_source_and_nothing_behind_itself():
    t5 = T5(CONFIG)
    before = read(t5)
    for column in range(1, 6):
        changed = TARGET.copy()
        changed[:, column:] = changed[:, column:] % 49 + 1
        after = read(t5, decoder_token_ids=changed)
        np.testing.assert_array_equal(before[:, :column], after[:, :column])
        assert (np.abs(before[:, column:] - after[:, column:]).max(-1) > 1e-3).all()
    for column in (0, 7):
        changed = SOURCE.copy()
        changed[:, column] = changed[:, column] % 49 + 1
        assert (np.abs(before - read(t5, token_ids=changed)).max(-1) > 1e-5).all()


def test_padding_of_the_source_changes_nothing_however_it_is_told():
    t5 = T5(CONFIG)
    alone = read(t5)
    padded = np.pad(SOURCE, ((0, 0), (0, 4)))
    garbage = np.where(padded == 0, 9, padded)
    mask = (padded != 0).astype("int32")
    for changes in (
        {"token_ids": padded},
        {"token_ids": garbage, "padding_mask": mask.astype(bool)},
        {"token_ids": garbage, "packing_ids": mask},
    ):
        np.testing.assert_allclose(read(t5, **changes), alone, atol=1e-5)


def test_padding_within_the_target_is_a_token_like_others():
    t5 = T5(CONFIG)
    changed = TARGET.copy()
    changed[:, 2] = 0
    assert (np.abs(read(t5) - read(t5, decoder_token_ids=changed))[:, 3:].max(-1) > 1e-4).all()


def test_initial_deviations_are_those_of_the_original():
    factor = 0.5
    config = CONFIG.model_copy(
        update={"hidden_dim": 64, "head_dim": 32, "num_heads": 4, "intermediate_dim": 144, "initializer_factor": factor}
    )
    t5 = T5(config)
    deviations = [(t5.token_embedding.embeddings, 1.0)]
    for stack in (t5.encoder, t5.decoder):
        deviations.append((stack.relative_position_bias.embeddings, 64**-0.5))
        for block in stack.blocks:
            query, pairs = ops.split(block.attention.qkv.kernel, [128], axis=1)
            deviations += [(query, (64 * 32) ** -0.5), (pairs, 64**-0.5)]
            deviations.append((block.attention.output_projection.kernel, 128**-0.5))
            deviations.append((block.feed_forward.intermediate.kernel, 64**-0.5))
            deviations.append((block.feed_forward.output_projection.kernel, 144**-0.5))
            if block.has_source:
                deviations.append((block.source_attention.query.kernel, (64 * 32) ** -0.5))
                deviations.append((block.source_attention.key_value.kernel, 64**-0.5))
                deviations.append((block.source_attention.output_projection.kernel, 128**-0.5))
    for values, deviation in deviations:
        values = ops.convert_to_numpy(values)
        assert values.std() == pytest.approx(factor * deviation, rel=3.5 / np.sqrt(2 * values.size))


def test_mixed_bfloat16_is_near_float32(mixed_bfloat16):
    mixed = T5(CONFIG)
    keras.mixed_precision.set_global_policy("float32")
    exact = T5(CONFIG)
    exact.set_weights(mixed.get_weights())
    output = mixed(INPUTS)["sequence_output"]
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(output, "float32")), read(exact), atol=0.1)


def test_hidden_states_of_both_sides_come_on_request():
    t5 = T5(CONFIG)
    outputs = t5(INPUTS, return_hidden_states=True)
    assert [state.shape for state in outputs["source_hidden_states"]] == [(2, 8, 16)] * 2
    assert [state.shape for state in outputs["hidden_states"]] == [(2, 6, 16)] * 3
    np.testing.assert_array_equal(ops.convert_to_numpy(outputs["hidden_states"][-1]), read(t5))
    assert set(t5(INPUTS)) == {"sequence_output"}


def test_rematerialized_it_has_the_same_gradients():
    t5 = T5(CONFIG.model_copy(update={"dropout": 0.3}))
    inputs = {**INPUTS, "row_seeds": np.array([5, -6], "int32")}
    assert all(gradient.any() for gradient in gradients_rematerialized(t5, inputs))


def test_is_usable_in_a_functional_model():
    inputs = {
        name: keras.Input((length,), dtype="int32") for name, length in (("token_ids", 8), ("decoder_token_ids", 6))
    }
    assert T5(CONFIG)(inputs)["sequence_output"].shape == (None, 6, 16)


def test_config_rebuilds_the_model():
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(T5(CONFIG)))
    assert rebuilt.config == CONFIG


def test_open_vocabulary_size_and_distances_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match="vocabulary_size None"):
        T5(T5Config())
    with pytest.raises(ValidationError, match="max_distance 16"):
        T5Config(num_buckets=32, max_distance=16)
