"""T5, original and version 1.1, equals the PyTorch T5 of the `transformers` package on the same weights."""

import numpy as np
import pytest
from keras import ops

from tfplm.models.configuration import T5Config
from tfplm.models.t5 import T5
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.parity.torch_weights import arrays, assign, randomized  # noqa: E402 – imports torch

# Rows are longer than max_distance, and a head is not hidden_dim / num_heads wide.
VERSION_1_1 = T5Config(
    vocabulary_size=70,
    num_layers=2,
    num_decoder_layers=3,
    num_heads=4,
    head_dim=6,
    hidden_dim=32,
    intermediate_dim=48,
    num_buckets=8,
    max_distance=12,
)
CONFIGS = {
    "original": VERSION_1_1.model_copy(update={"activation": "relu", "tie_embeddings": True}),
    "version_1.1": VERSION_1_1,
}
RANDOM = np.random.default_rng(0)
LENGTHS = np.array([24, 9, 1])
SOURCES = np.where(np.arange(24) < LENGTHS[:, None], RANDOM.integers(1, 70, (3, 24)), 0).astype("int32")
TARGETS = np.pad(RANDOM.integers(1, 70, (3, 17)), ((0, 0), (1, 0))).astype("int32")
INPUTS = {"token_ids": SOURCES, "decoder_token_ids": TARGETS}
TOLERANCE = 1e-4


def build_reference(config: T5Config):
    reference = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=config.vocabulary_size,
            d_model=config.hidden_dim,
            d_kv=config.head_dim,
            d_ff=config.intermediate_dim,
            num_layers=config.num_layers,
            num_decoder_layers=config.decoder_layers,
            num_heads=config.num_heads,
            relative_attention_num_buckets=config.num_buckets,
            relative_attention_max_distance=config.max_distance,
            layer_norm_epsilon=config.norm_epsilon,
            feed_forward_proj="relu" if config.activation == "relu" else "gated-gelu",
            tie_word_embeddings=config.tie_embeddings,
        )
    )
    if not config.tie_embeddings:  # transformers 5 ties them all the same
        reference.lm_head.weight = torch.nn.Parameter(torch.randn_like(reference.lm_head.weight))
    return reference


def copy_stack(stack, weights: dict[str, np.ndarray], name: str, is_gated: bool) -> None:
    bias = f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    stack.relative_position_bias.set_weights([weights[bias]])
    assign(stack.final_norm, weights, f"{name}.final_layer_norm")
    for index, block in enumerate(stack.blocks):
        parts = f"{name}.block.{index}.layer"
        assign(block.attention.qkv, weights, *(f"{parts}.0.SelfAttention.{part}" for part in "qkv"))
        assign(block.attention.output_projection, weights, f"{parts}.0.SelfAttention.o")
        norms = [block.attention_norm]
        if block.has_source:
            assign(block.source_attention.query, weights, f"{parts}.1.EncDecAttention.q")
            assign(block.source_attention.key_value, weights, *(f"{parts}.1.EncDecAttention.{part}" for part in "kv"))
            assign(block.source_attention.output_projection, weights, f"{parts}.1.EncDecAttention.o")
            norms.append(block.source_norm)
        feed_forward = f"{parts}.{len(norms)}.DenseReluDense"
        first = ("wi_0", "wi_1") if is_gated else ("wi",)
        assign(block.feed_forward.intermediate, weights, *(f"{feed_forward}.{part}" for part in first))
        assign(block.feed_forward.output_projection, weights, f"{feed_forward}.wo")
        for number, norm in enumerate([*norms, block.feed_forward_norm]):
            assign(norm, weights, f"{parts}.{number}.layer_norm")


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request):
    """The reference, and our model with its weights."""
    config = CONFIGS[request.param]
    torch.manual_seed(0)
    reference = randomized(build_reference(config))
    weights = arrays(reference)
    task = Seq2SeqLanguageModel(T5(config), Seq2SeqLmConfig())
    task.encoder.token_embedding.set_weights([weights["shared.weight"]])
    for stack in ("encoder", "decoder"):
        copy_stack(getattr(task.encoder, stack), weights, stack, is_gated=config.activation == "geglu")
    if not config.tie_embeddings:
        task.output_embedding.set_weights([weights["lm_head.weight"]])
    assert task.count_params() == sum(parameter.numel() for parameter in reference.parameters())
    return reference, task


@pytest.mark.parametrize("told_by", ["token_ids", "padding_mask", "packing_ids"])
def test_last_hidden_states_and_logits_are_equal(pair, told_by):
    reference, task = pair
    with torch.no_grad():
        expected = reference(
            input_ids=torch.tensor(SOURCES),
            attention_mask=torch.tensor((SOURCES != 0).astype("int64")),
            decoder_input_ids=torch.tensor(TARGETS),
            output_hidden_states=True,
        )
    inputs = INPUTS if told_by == "token_ids" else {**INPUTS, told_by: (SOURCES != 0).astype("int32")}
    hidden = ops.convert_to_numpy(task.encoder(inputs)["sequence_output"])
    np.testing.assert_allclose(hidden, expected.decoder_hidden_states[-1].numpy(), atol=TOLERANCE)
    assert np.abs(expected.logits.numpy()).max() > 1.0
    logits = ops.convert_to_numpy(task(inputs)["next_token"])
    np.testing.assert_allclose(logits, expected.logits.numpy(), atol=TOLERANCE)
