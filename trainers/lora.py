"""LoRA: small matrices that are trained in place of the pretrained ones."""

import keras
import numpy as np

from tfplm.errors import UserError
from tfplm.finetuning_configuration import LoraConfig
from tfplm.layers.attention import MultiHeadAttention
from tfplm.layers.transformer_block import TransformerBlock
from tfplm.models.build import Encoder
from tfplm.models.lstm import Lstm
from tfplm.models.lstm_seq2seq import LstmSeq2Seq
from tfplm.models.t5 import T5
from tfplm.tasks.language_model import LanguageModel
from tfplm.tasks.task import Task

_A, _B = "lora_kernel_a", "lora_kernel_b"


def add_lora(task: Task, config: LoraConfig) -> None:
    """Freezes what was pretrained and adds trainable A·B to some of its matrices W: the layer gives x (W + s·A·B).

    A is drawn at random and B is 0, so that nothing changes at first; s is alpha / rank. A new head is trained as it
    is; that of a model that writes was pretrained too. The matrices are Keras's `Dense` layers, and the projection to
    queries, keys and values is one of them: they share an A, and each has its own columns of B. Call it under the
    strategy's scope, before the optimizer is built.

    Source: Hu et al. 2021, "LoRA", section 4.

    Raises:
        UserError: the model has no matrices of this kind.
    """
    layers = _matrices(task.encoder, config.targets)
    if not layers:
        raise UserError(
            f"lora.targets is {config.targets}, and a model of type {task.encoder.config.type} has no attention.",
            "Expected a bert, gpt, t5 or lstm_seq2seq model.",
            "Leave lora out; freeze and layer_decay serve every model.",
        )
    pretrained = task if isinstance(task, LanguageModel) else task.encoder
    for weight in pretrained.weights:
        weight.trainable = False
    for layer in layers:
        layer.enable_lora(config.rank, config.alpha)


def without_lora(task: Task) -> Task:
    """A task of the same kind with plain weights W + s·A·B, which gives the same; ``task`` stays as it is."""
    plain = type(task).from_config(task.get_config())
    values = {weight.path: weight.numpy() for weight in task.weights}
    for layer in _matrices(task.encoder, "all"):
        if layer.lora_enabled:
            a, b = (values.pop(f"{layer.path}/{name}") for name in (_A, _B))
            kernel = f"{layer.path}/kernel"
            values[kernel] = values[kernel] + np.float32(layer.lora_alpha / layer.lora_rank) * (a @ b)
    for weight in plain.weights:
        weight.assign(values[weight.path])
    return plain


def _matrices(encoder: Encoder, targets: str) -> list[keras.layers.Dense]:
    """The layers that adapters can be added to, from the lowest."""
    if isinstance(encoder, Lstm):
        return []
    if isinstance(encoder, LstmSeq2Seq):
        return _projections(encoder.attention)
    stacks = [encoder.encoder, encoder.decoder] if isinstance(encoder, T5) else [encoder]
    return [layer for stack in stacks for block in stack.blocks for layer in _matrices_of_block(block, targets)]


def _matrices_of_block(block: TransformerBlock, targets: str) -> list[keras.layers.Dense]:
    layers = _projections(block.attention)
    if block.has_source:
        layers += _projections(block.source_attention)
    if targets == "all":
        layers += [block.feed_forward.intermediate, block.feed_forward.output_projection]
    return layers


def _projections(attention: MultiHeadAttention) -> list[keras.layers.Dense]:
    inputs = [attention.query, attention.key_value] if attention.is_cross else [attention.qkv]
    return [*inputs, attention.output_projection]
