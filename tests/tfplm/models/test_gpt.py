import keras
import numpy as np
import pytest
from keras import ops
from pydantic import ValidationError

from tests.tfplm.models.gradients import gradients_rematerialized
from tfplm.models.configuration import GptConfig, LinearRotaryScaling, Llama3RotaryScaling
from tfplm.models.gpt import Gpt

GPT2 = GptConfig(
    vocabulary_size=50, num_layers=2, num_heads=4, hidden_dim=16, intermediate_dim=24, max_sequence_length=12
)
LLAMA = GPT2.model_copy(
    update={
        "num_key_value_heads": 2,
        "position_embedding": "rotary",
        "norm": "rms_norm",
        "activation": "swiglu",
        "use_bias": False,
    }
)
MISTRAL = LLAMA.model_copy(update={"attention_window": 3})
QWEN2 = LLAMA.model_copy(
    update={"qkv_bias": True, "rotary_scaling": Llama3RotaryScaling(factor=8.0, original_length=4)}
)
KINDS = pytest.mark.parametrize("config", [GPT2, LLAMA], ids=["gpt2", "llama"])
IDS = np.random.default_rng(0).integers(1, 50, (2, 8)).astype("int32")


def read(gpt: Gpt, **inputs) -> np.ndarray:
    return ops.convert_to_numpy(gpt(inputs)["sequence_output"])


def randomized(config: GptConfig) -> Gpt:
    """A model whose positions and scores are no longer near zero."""
    gpt, random = Gpt(config), np.random.default_rng(1)
    gpt.set_weights([random.normal(0, 0.4, weight.shape) for weight in gpt.weights if weight.dtype == "float32"])
    return gpt


@pytest.mark.parametrize(
    ("config", "num_weights"), [(GPT2, 2 + 2 * 12 + 2), (LLAMA, 1 + 2 * 6 + 1), (QWEN2, 1 + 2 * 7 + 1)]
)
def test_every_variable_exists_after_construction(config, num_weights):
    gpt = Gpt(config.model_copy(update={"dropout": 0.0, "attention_dropout": 0.0}))
    paths = [weight.path for weight in gpt.weights]
    gpt({"token_ids": IDS})
    assert [weight.path for weight in gpt.weights] == paths
    assert len(set(paths)) == len(paths) == num_weights


@KINDS
def test_no_position_sees_what_comes_behind_it(config):
    gpt = randomized(config)
    before = read(gpt, token_ids=IDS)
    for column in range(1, 8):
        changed = IDS.copy()
        changed[:, column:] = changed[:, column:] % 49 + 1
        after = read(gpt, token_ids=changed)
        np.testing.assert_array_equal(before[:, :column], after[:, :column])
        assert (np.abs(before[:, column:] - after[:, column:]).max(-1) > 1e-3).all()


def test_a_position_sees_as_many_as_the_window_has():
    gpt = randomized(MISTRAL.model_copy(update={"num_layers": 1}))
    before = read(gpt, token_ids=IDS)
    for column in range(8):
        changed = IDS.copy()
        changed[:, column] = changed[:, column] % 49 + 1
        differs = np.abs(before - read(gpt, token_ids=changed)).max((0, 2)) > 1e-3
        np.testing.assert_array_equal(differs, (np.arange(8) >= column) & (np.arange(8) < column + 3))


@pytest.mark.parametrize("config", [MISTRAL, QWEN2], ids=["mistral", "qwen2"])
def test_token_by_token_it_reads_as_at_once(config):
    gpt = randomized(config)
    expected = read(gpt, token_ids=IDS)
    prompts = np.stack([np.pad(IDS[0, :5], (1, 0)), np.pad(IDS[1, :2], (4, 0))])  # of different lengths
    hidden, state = gpt.prefill({"token_ids": prompts}, cache_length=9)
    lengths = np.array([5, 2])
    for step in range(4):
        if step:
            hidden, state = gpt.decode(ops.convert_to_tensor(IDS[[0, 1], lengths + step - 1]), state)
        np.testing.assert_allclose(ops.convert_to_numpy(hidden), expected[[0, 1], lengths + step - 1], atol=1e-4)


def test_scaled_rotary_positions_give_other_outputs():
    outputs = []
    for scaling in (None, LinearRotaryScaling(factor=2.0), QWEN2.rotary_scaling):
        gpt = randomized(LLAMA.model_copy(update={"rotary_scaling": scaling}))
        outputs.append(read(gpt, token_ids=IDS))
    assert all(np.abs(outputs[one] - outputs[other]).max() > 1e-2 for one, other in ((0, 1), (0, 2), (1, 2)))


@KINDS
def test_documents_packed_into_a_row_are_read_as_if_alone(config):
    gpt = randomized(config)
    packed = read(
        gpt,
        token_ids=IDS,
        packing_ids=np.array([[1, 1, 1, 2, 2, 2, 2, 0]] * 2, "int32"),
        position_ids=np.array([[0, 1, 2, 0, 1, 2, 3, 0]] * 2, "int32"),
    )
    alone = read(gpt, token_ids=IDS)
    second = read(gpt, token_ids=np.pad(IDS[:, 3:7], ((0, 0), (0, 4))))
    np.testing.assert_allclose(packed[:, :3], alone[:, :3], atol=1e-5)  # no position sees what comes behind it
    np.testing.assert_allclose(packed[:, 3:7], second[:, :4], atol=1e-5)
    assert (np.abs(packed - alone)[:, 3:7].max(-1) > 1e-3).all()


@KINDS
def test_padding_is_not_read_however_it_is_told(config):
    gpt = randomized(config)
    mask = (np.arange(8) < np.array([[8], [5]])).astype("int32")
    expected = read(gpt, token_ids=IDS)
    for inputs in (
        {"token_ids": IDS * mask},
        {"token_ids": IDS, "padding_mask": mask.astype(bool)},
        {"token_ids": IDS, "packing_ids": mask},
    ):
        outputs = gpt(inputs)
        sequence, pooled = (ops.convert_to_numpy(outputs[name]) for name in ("sequence_output", "pooled_output"))
        np.testing.assert_allclose(sequence[mask == 1], expected[mask == 1], atol=1e-5)
        np.testing.assert_array_equal(pooled, sequence[[0, 1], [7, 4]])


def test_learned_positions_are_counted_where_none_are_given():
    gpt = randomized(GPT2)
    spelled_out = read(gpt, token_ids=IDS, position_ids=np.tile(np.arange(8, dtype="int32"), (2, 1)))
    np.testing.assert_allclose(read(gpt, token_ids=IDS), spelled_out, atol=1e-6)
    assert np.abs(read(gpt, token_ids=IDS, position_ids=np.zeros_like(IDS)) - spelled_out).max() > 1e-2


@KINDS
def test_hidden_states_and_scores_come_on_request(config):
    gpt = Gpt(config)
    outputs = gpt({"token_ids": IDS}, return_hidden_states=True, return_attention_scores=True)
    assert [state.shape for state in outputs["hidden_states"]] == [(2, 8, 16)] * 3
    assert [scores.shape for scores in outputs["attention_scores"]] == [(2, 4, 8, 8)] * 2
    for scores in map(ops.convert_to_numpy, outputs["attention_scores"]):
        assert not np.triu(scores, k=1).any()
        np.testing.assert_allclose(scores.sum(-1), 1.0, atol=1e-5)
    plain = gpt({"token_ids": IDS})
    assert set(plain) == {"sequence_output", "pooled_output"}
    for name in plain:
        np.testing.assert_array_equal(ops.convert_to_numpy(outputs[name]), ops.convert_to_numpy(plain[name]))


def test_the_deviation_of_what_adds_to_the_residual_falls_with_the_depth():
    gpt = Gpt(GPT2)
    deviations = [(gpt.token_embedding.embeddings, 0.02), (gpt.position_embedding.embeddings, 0.02)]
    for block in gpt.blocks:
        attention, feed_forward = block.attention, block.feed_forward
        deviations += [(layer.kernel, 0.02) for layer in (attention.qkv, feed_forward.intermediate)]
        # Two parts of two layers add to the residual.
        deviations += [(part.output_projection.kernel, 0.02 / np.sqrt(2 * 2)) for part in (attention, feed_forward)]
    for values, deviation in deviations:
        values = ops.convert_to_numpy(values)
        assert values.std() == pytest.approx(deviation, rel=3.5 / np.sqrt(2 * values.size))


def test_layers_begin_with_weights_of_their_own():
    kernels = [ops.convert_to_numpy(block.attention.qkv.kernel) for block in Gpt(GPT2).blocks]
    assert np.abs(kernels[0] - kernels[1]).min() > 0


@KINDS
def test_mixed_bfloat16_is_near_float32(config, mixed_bfloat16):
    mixed = Gpt(config)
    keras.mixed_precision.set_global_policy("float32")
    exact = Gpt(config)
    exact.set_weights(mixed.get_weights())
    output = mixed({"token_ids": IDS})["sequence_output"]
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(output, "float32")), read(exact, token_ids=IDS), atol=0.1)


@KINDS
def test_rematerialized_it_has_the_same_gradients(config):
    gpt = Gpt(config.model_copy(update={"dropout": 0.3, "initializer_range": 0.3}))
    inputs = {"token_ids": IDS, "row_seeds": np.array([5, -6], "int32")}
    assert all(gradient.any() for gradient in gradients_rematerialized(gpt, inputs))


@KINDS
def test_is_usable_in_a_functional_model(config):
    outputs = Gpt(config)({"token_ids": keras.Input((8,), dtype="int32")})
    assert outputs["sequence_output"].shape == (None, 8, 16)
    assert outputs["pooled_output"].shape == (None, 16)


@pytest.mark.parametrize("config", [LLAMA, MISTRAL, QWEN2], ids=["llama", "mistral", "qwen2"])
def test_config_rebuilds_the_model(config):
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(Gpt(config)))
    assert rebuilt.config == config


def test_open_vocabulary_size_and_too_long_rows_are_errors():
    with pytest.raises(ValueError, match="vocabulary_size None"):
        Gpt(GptConfig())
    with pytest.raises(ValueError, match="sequence of 13"):
        Gpt(GPT2)({"token_ids": np.ones((1, 13), "int32")})


def test_rotary_positions_know_no_end():
    assert Gpt(LLAMA)({"token_ids": keras.Input((40,), dtype="int32")})["sequence_output"].shape == (None, 40, 16)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_dim": 30}, "hidden_dim 30"),
        ({"num_key_value_heads": 3}, "num_key_value_heads 3"),
        ({"position_embedding": "rotary", "head_dim": 5}, "5 wide"),
        ({"rotary_scaling": {"type": "linear", "factor": 2.0}}, "position_embedding is learned"),
        (
            {
                "position_embedding": "rotary",
                "rotary_scaling": {"type": "llama3", "factor": 2.0, "low_factor": 4.0, "original_length": 8},
            },
            "high_factor 4.0",
        ),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_configuration(values, message):
    with pytest.raises(ValidationError, match=message):
        GptConfig(num_heads=4, **values)
