"""GPT equals the PyTorch GPT-2 and Llama of the `transformers` package on the same weights."""

import numpy as np
import pytest
from keras import ops

from tfplm.models.configuration import GptConfig
from tfplm.models.gpt import Gpt
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.parity.torch_weights import arrays, assign, randomized  # noqa: E402 – imports torch

GPT2 = GptConfig(
    vocabulary_size=70, num_layers=3, num_heads=4, hidden_dim=32, intermediate_dim=48, max_sequence_length=16
)
LLAMA = GptConfig(
    vocabulary_size=70,
    num_layers=3,
    num_heads=4,
    num_key_value_heads=2,
    hidden_dim=32,
    intermediate_dim=48,
    max_sequence_length=16,
    position_embedding="rotary",
    rotary_base=500.0,
    norm="rms_norm",
    activation="swiglu",
    use_bias=False,
    tie_embeddings=False,
    norm_epsilon=1e-6,
)
CONFIGS = {
    "gpt2": GPT2,
    "llama": LLAMA,
    "llama_tied": LLAMA.model_copy(update={"tie_embeddings": True}),
    "llama_wide_heads": LLAMA.model_copy(update={"head_dim": 12, "num_key_value_heads": 1}),
}
LENGTHS = np.array([16, 9, 1])
IDS = np.where(np.arange(16) < LENGTHS[:, None], np.random.default_rng(0).integers(1, 70, (3, 16)), 0).astype("int32")
TOLERANCE = 1e-4


def gpt2_reference(config: GptConfig):
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=config.vocabulary_size,
            n_embd=config.hidden_dim,
            n_layer=config.num_layers,
            n_head=config.num_heads,
            n_inner=config.intermediate_dim,
            n_positions=config.max_sequence_length,
            attn_implementation="eager",
        )
    )


def llama_reference(config: GptConfig):
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=config.vocabulary_size,
            hidden_size=config.hidden_dim,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_key_value_heads,
            head_dim=config.width_of_head,
            intermediate_size=config.intermediate_dim,
            max_position_embeddings=config.max_sequence_length,
            rope_theta=config.rotary_base,
            rms_norm_eps=config.norm_epsilon,
            tie_word_embeddings=config.tie_embeddings,
            attn_implementation="eager",
        )
    )


def copy_gpt2(gpt: Gpt, weights: dict[str, np.ndarray]) -> None:
    gpt.token_embedding.set_weights([weights["transformer.wte.weight"]])
    gpt.position_embedding.set_weights([weights["transformer.wpe.weight"]])
    assign(gpt.final_norm, weights, "transformer.ln_f")
    for index, block in enumerate(gpt.blocks):
        for layer, name in (
            (block.attention_norm, "ln_1"),
            (block.attention.qkv, "attn.c_attn"),
            (block.attention.output_projection, "attn.c_proj"),
            (block.feed_forward_norm, "ln_2"),
            (block.feed_forward.intermediate, "mlp.c_fc"),
            (block.feed_forward.output_projection, "mlp.c_proj"),
        ):
            assign(layer, weights, f"transformer.h.{index}.{name}", is_transposed=False)


def copy_llama(gpt: Gpt, weights: dict[str, np.ndarray]) -> None:
    gpt.token_embedding.set_weights([weights["model.embed_tokens.weight"]])
    assign(gpt.final_norm, weights, "model.norm")
    for index, block in enumerate(gpt.blocks):
        for layer, *names in (
            (block.attention_norm, "input_layernorm"),
            (block.attention.qkv, *(f"self_attn.{part}_proj" for part in "qkv")),
            (block.attention.output_projection, "self_attn.o_proj"),
            (block.feed_forward_norm, "post_attention_layernorm"),
            (block.feed_forward.intermediate, "mlp.gate_proj", "mlp.up_proj"),
            (block.feed_forward.output_projection, "mlp.down_proj"),
        ):
            assign(layer, weights, *(f"model.layers.{index}.{name}" for name in names))


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request):
    """The reference, and our model with its weights."""
    config, is_gpt2 = CONFIGS[request.param], request.param == "gpt2"
    torch.manual_seed(0)
    reference = randomized((gpt2_reference if is_gpt2 else llama_reference)(config))
    weights = arrays(reference)
    task = CausalLanguageModel(Gpt(config), CausalLmConfig())
    (copy_gpt2 if is_gpt2 else copy_llama)(task.encoder, weights)
    if not config.tie_embeddings:
        task.output_embedding.set_weights([weights["lm_head.weight"]])
    assert task.count_params() == sum(parameter.numel() for parameter in reference.parameters())
    return reference, task


@pytest.fixture(scope="module")
def expected(pair):
    with torch.no_grad():
        return pair[0](
            torch.tensor(IDS),
            attention_mask=torch.tensor((IDS != 0).astype("int64")),
            output_hidden_states=True,
            output_attentions=True,
        )


@pytest.mark.parametrize("told_by", ["token_ids", "padding_mask", "packing_ids"])
def test_hidden_states_scores_and_logits_are_equal(pair, expected, told_by):
    task, real = pair[1], IDS != 0
    inputs = {"token_ids": IDS}
    if told_by != "token_ids":
        inputs[told_by] = real.astype("int32")
    outputs = task.encoder(inputs, return_hidden_states=True, return_attention_scores=True)
    assert len(outputs["hidden_states"]) == len(expected.hidden_states) == task.encoder.config.num_layers + 1
    for got, state in zip(outputs["hidden_states"], expected.hidden_states, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(got)[real], state.numpy()[real], atol=TOLERANCE)
    for got, scores in zip(outputs["attention_scores"], expected.attentions, strict=True):
        got, scores = (np.moveaxis(x, 1, 2)[real] for x in (ops.convert_to_numpy(got), scores.numpy()))
        np.testing.assert_allclose(got, scores, atol=TOLERANCE)
    logits = ops.convert_to_numpy(task(inputs)["next_token"])
    np.testing.assert_allclose(logits[real], expected.logits.numpy()[real], atol=TOLERANCE)
    last = outputs["hidden_states"][-1].numpy()[np.arange(3), LENGTHS - 1]
    np.testing.assert_array_equal(outputs["pooled_output"].numpy(), last)
