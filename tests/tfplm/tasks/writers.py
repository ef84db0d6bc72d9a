"""A small task of every kind that writes text, and the batches that they read."""

from collections.abc import Callable

import numpy as np
from keras import ops

from tests.tfplm.compiled import compiled, quickest
from tfplm.models.build import build_model
from tfplm.models.configuration import GptConfig, LstmConfig, LstmSeq2SeqConfig, ModelConfig, T5Config
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.language_model import LanguageModel
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.task import Scores

VOCABULARY = 30
GPT2 = GptConfig(num_layers=2, num_heads=4, hidden_dim=16, intermediate_dim=24, max_sequence_length=16)
T5 = T5Config(num_layers=1, num_decoder_layers=2, num_heads=2, head_dim=6, hidden_dim=16, intermediate_dim=24)
LLAMA_CHANGES = {
    "num_key_value_heads": 2,
    "position_embedding": "rotary",
    "norm": "rms_norm",
    "activation": "swiglu",
    "use_bias": False,
    "tie_embeddings": False,
}
DECODERS: dict[str, ModelConfig] = {
    "gpt2": GPT2,
    "llama": GPT2.model_copy(update=LLAMA_CHANGES),
    "lstm": LstmConfig(num_layers=2, embedding_dim=6, hidden_dim=8, bidirectional=False),
}
ENCODER_DECODERS: dict[str, ModelConfig] = {
    "t5": T5.model_copy(update={"num_buckets": 4, "max_distance": 6}),
    "t5_original": T5.model_copy(update={"activation": "relu", "tie_embeddings": True}),
    "lstm_seq2seq": LstmSeq2SeqConfig(num_layers=2, embedding_dim=6, hidden_dim=8),
}
WRITERS = DECODERS | ENCODER_DECODERS
RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.integers(1, VOCABULARY, (3, 9)).astype("int32")
SOURCES = RANDOM.integers(1, VOCABULARY, (3, 7)).astype("int32")
SOURCES[1:, 4:] = 0


def build_writer(kind: str, positions_per_chunk: int | None = None) -> LanguageModel:
    """A task whose weights, biases included, are random and large enough that every token counts."""
    body = build_model(WRITERS[kind], VOCABULARY)
    if kind in DECODERS:
        task = CausalLanguageModel(body, CausalLmConfig(positions_per_chunk=positions_per_chunk))
    else:
        task = Seq2SeqLanguageModel(body, Seq2SeqLmConfig(positions_per_chunk=positions_per_chunk))
    random = np.random.default_rng(1)
    for variable in task.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    return task


def inputs_of(kind: str) -> dict[str, np.ndarray]:
    """What a forward pass reads: the rows of an encoder-decoder's source are of different lengths."""
    if kind in DECODERS:
        return {"token_ids": TOKENS}
    return {"token_ids": SOURCES, "decoder_token_ids": np.pad(TOKENS[:, 1:], ((0, 0), (1, 0)))}


def score(task: LanguageModel, inputs: dict, targets: dict, weights: dict, training: bool = False) -> Scores:
    """What `Task.score` gives within a graph, as the training engine calls it."""

    def of_batch(inputs, targets, weights):
        return task.score(inputs, targets, weights, training)

    return compiled(of_batch, jit_compile=False)(inputs, targets, weights)


def whole_pass(task: LanguageModel) -> Callable[[dict], np.ndarray]:
    """From inputs to the logits (batch, sequence, vocabulary) of all tokens at once."""
    read = quickest(lambda inputs: task(inputs)["next_token"])
    return lambda inputs: as_numpy(read(inputs))


def as_numpy(tensor) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))
