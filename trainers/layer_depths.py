"""How far each weight stands below the head."""

import keras

from tfplm.models.bert import Bert
from tfplm.models.build import Encoder
from tfplm.models.gpt import Gpt
from tfplm.models.lstm import Lstm
from tfplm.models.t5 import T5
from tfplm.tasks.task import Task

HEAD_DEPTH = 0


def layer_depths(encoder: Encoder) -> dict[str, int]:
    """The depth of every weight of an encoder, by its path.

    1 is the top layer with what stands above it (the last norm, the pooler), ``num_layers`` the lowest layer, and
    ``num_layers + 1`` the embeddings with their norm and projection, and the positions that all layers share. A layer
    that is applied many times, as ALBERT's, counts as one. Encoder and decoder of a T5 or an LSTM with attention are
    counted side by side, each from its own top; where they are of different heights, the embeddings stand below the
    higher one.

    Source: Howard and Ruder 2018, "ULMFiT", section 3.2; Raffel et al. 2020, "T5", section 3.5.1, for the two sides.

    Example:
        >>> layer_depths(Bert(BertConfig(num_layers=2, vocabulary_size=100)))["bert/block_1/attention/qkv/kernel"]
        1
    """
    stacks, top = _parts(encoder)
    depths = dict.fromkeys(_paths(encoder), 1 + max(map(len, stacks)))
    for stack in stacks:
        for depth, layer in enumerate(reversed(stack), start=1):
            depths |= dict.fromkeys(_paths(layer), depth)
    return depths | {path: 1 for layer in top for path in _paths(layer)}


def task_depths(task: Task) -> dict[str, int]:
    """As `layer_depths`, with the head's weights at depth 0.

    Embeddings that are the output weights too, as those of a model that writes can be, are part of the head.

    Source: Raffel et al. 2020, "T5", section 3.5.1.
    """
    depths = dict.fromkeys(_paths(task), HEAD_DEPTH) | layer_depths(task.encoder)
    output = getattr(task, "output_embedding", None)
    return depths if output is None else depths | dict.fromkeys(_paths(output), HEAD_DEPTH)


def _paths(layer: keras.layers.Layer) -> list[str]:
    return [weight.path for weight in layer.weights]


def _parts(encoder: Encoder) -> tuple[list[list[keras.layers.Layer]], list[keras.layers.Layer]]:
    """The stacks of layers, each from the lowest to the highest, and what stands above them."""
    if isinstance(encoder, Bert):
        return [encoder.blocks], [encoder.pooler, *([encoder.final_norm] if encoder.final_norm is not None else [])]
    if isinstance(encoder, Gpt):
        return [encoder.blocks], [encoder.final_norm]
    if isinstance(encoder, Lstm):
        return [encoder.recurrent_layers], []
    if isinstance(encoder, T5):
        sides = (encoder.encoder, encoder.decoder)
        return [side.blocks for side in sides], [side.final_norm for side in sides]
    return [encoder.encoder_layers, encoder.decoder_layers], [encoder.bridge, encoder.attention, encoder.combination]
