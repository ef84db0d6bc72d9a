"""BERT equals the PyTorch BERT of the `transformers` package on the same weights."""

import numpy as np
import pytest
from keras import ops

from tfplm.models.bert import Bert
from tfplm.models.configuration import BertConfig
from tfplm.objectives import MaskedLmConfig
from tfplm.tasks.masked_language_model import MaskedLanguageModel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.parity.torch_weights import arrays, assign, randomized  # noqa: E402 – imports torch

CONFIG = BertConfig(
    vocabulary_size=70, num_layers=3, num_heads=4, hidden_dim=32, intermediate_dim=48, max_sequence_length=16
)
RANDOM = np.random.default_rng(0)
LENGTHS = np.array([16, 9, 1])
IDS = np.where(np.arange(16) < LENGTHS[:, None], RANDOM.integers(1, 70, (3, 16)), 0).astype("int32")
SEGMENTS = (np.arange(16) >= 6).astype("int32") * (IDS != 0)
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reference():
    """A small BERT with a pretraining head, whose weights, norms and biases included, are random."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=CONFIG.vocabulary_size,
        hidden_size=CONFIG.hidden_dim,
        num_hidden_layers=CONFIG.num_layers,
        num_attention_heads=CONFIG.num_heads,
        intermediate_size=CONFIG.intermediate_dim,
        max_position_embeddings=CONFIG.max_sequence_length,
        attn_implementation="eager",
    )
    return randomized(transformers.BertForPreTraining(config))


def copy_encoder(bert: Bert, weights: dict[str, np.ndarray]) -> None:
    for layer, name in (
        (bert.token_embedding, "word_embeddings"),
        (bert.segment_embedding, "token_type_embeddings"),
        (bert.position_embedding, "position_embeddings"),
    ):
        layer.set_weights([weights[f"bert.embeddings.{name}.weight"]])
    assign(bert.embedding_norm, weights, "bert.embeddings.LayerNorm")
    assign(bert.pooler, weights, "bert.pooler.dense")
    for index, block in enumerate(bert.blocks):
        name = f"bert.encoder.layer.{index}"
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        assign(block.attention.qkv, weights, *parts)
        assign(block.attention.output_projection, weights, f"{name}.attention.output.dense")
        assign(block.attention_norm, weights, f"{name}.attention.output.LayerNorm")
        assign(block.feed_forward.intermediate, weights, f"{name}.intermediate.dense")
        assign(block.feed_forward.output_projection, weights, f"{name}.output.dense")
        assign(block.feed_forward_norm, weights, f"{name}.output.LayerNorm")


@pytest.fixture(scope="module")
def model(reference) -> MaskedLanguageModel:
    weights = arrays(reference)
    task = MaskedLanguageModel(Bert(CONFIG), MaskedLmConfig(next_sentence=True))
    copy_encoder(task.encoder, weights)
    assign(task.transform, weights, "cls.predictions.transform.dense")
    assign(task.transform_norm, weights, "cls.predictions.transform.LayerNorm")
    task.output_bias.set_weights([weights["cls.predictions.bias"]])
    assign(task.next_sentence.classifier, weights, "cls.seq_relationship")
    return task


@pytest.fixture(scope="module")
def expected(reference):
    with torch.no_grad():
        return reference(
            torch.tensor(IDS),
            attention_mask=torch.tensor((IDS != 0).astype("int64")),
            token_type_ids=torch.tensor(SEGMENTS.astype("int64")),
            output_hidden_states=True,
            output_attentions=True,
        )


@pytest.mark.parametrize("told_by", ["token_ids", "padding_mask", "packing_ids"])
def test_hidden_states_pooled_output_and_scores_are_equal(model, reference, expected, told_by):
    inputs = {"token_ids": IDS, "segment_ids": SEGMENTS}
    if told_by != "token_ids":
        inputs[told_by] = (IDS != 0).astype("int32")
    outputs = model.encoder(inputs, return_hidden_states=True, return_attention_scores=True)
    real = IDS != 0 if told_by == "packing_ids" else np.ones_like(IDS, bool)  # packed, the padding sees itself
    assert len(outputs["hidden_states"]) == len(expected.hidden_states) == CONFIG.num_layers + 1
    for got, state in zip(outputs["hidden_states"], expected.hidden_states, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(got)[real], state.numpy()[real], atol=TOLERANCE)
    for got, scores in zip(outputs["attention_scores"], expected.attentions, strict=True):
        got, scores = (np.moveaxis(x, 1, 2)[real] for x in (ops.convert_to_numpy(got), scores.numpy()))
        np.testing.assert_allclose(got, scores, atol=TOLERANCE)
    with torch.no_grad():
        pooled = reference.bert.pooler(expected.hidden_states[-1]).numpy()
    np.testing.assert_allclose(ops.convert_to_numpy(outputs["pooled_output"]), pooled, atol=TOLERANCE)


def test_logits_of_both_objectives_are_equal(model, expected):
    positions = np.tile(np.arange(16, dtype="int32"), (3, 1))
    outputs = model({"token_ids": IDS, "segment_ids": SEGMENTS, "mask_positions": positions})
    logits = expected.prediction_logits.numpy()
    np.testing.assert_allclose(ops.convert_to_numpy(outputs["masked_lm"]), logits, atol=5 * TOLERANCE)
    next_sentence = ops.convert_to_numpy(outputs["next_sentence"])  # there 0 stands for "is next", here 1
    np.testing.assert_allclose(next_sentence, expected.seq_relationship_logits.numpy(), atol=TOLERANCE)
