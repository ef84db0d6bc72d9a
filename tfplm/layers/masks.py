"""Who may attend to whom."""

import numpy as np
from keras import KerasTensor, ops

from tfplm import feature_names as names

_BLOCKED = -1e9
_BLOCKED_FLOAT16 = -3e4  # -1e9 would overflow to minus infinity, and a row of those gives NaN


def padding_mask(inputs: dict, pad_id: int) -> KerasTensor:
    """Says where a model's inputs hold tokens: bool (batch, sequence), False at padding.

    Args:
        inputs: dictionary of (batch, sequence) integers. PACKING_IDS, else PADDING_MASK say by 0 where the padding is,
            else TOKEN_IDS by ``pad_id``.
        pad_id: the model's.
    """
    for name in (names.PACKING_IDS, names.PADDING_MASK):
        if name in inputs:
            return ops.cast(inputs[name], "bool")
    if names.TOKEN_IDS in inputs:
        return ops.not_equal(inputs[names.TOKEN_IDS], pad_id)
    raise ValueError(f"got inputs {sorted(inputs)}, expected '{names.TOKEN_IDS}' among them")


def example_mask(inputs: dict, pad_id: int) -> KerasTensor:
    """Says which tokens a vector is pooled from.

    Args:
        inputs: as of `padding_mask`; EXAMPLE_STARTS (batch, examples) where a row holds several examples, of which
            the first has the packing id 1, the second 2, and so on.
        pad_id: the model's.

    Returns:
        bool (batch, sequence), False at padding; with EXAMPLE_STARTS (batch, examples, sequence).
    """
    if names.EXAMPLE_STARTS not in inputs:
        return padding_mask(inputs, pad_id)
    packing_ids = ops.cast(inputs[names.PACKING_IDS], "int32")
    examples = ops.arange(1, inputs[names.EXAMPLE_STARTS].shape[1] + 1, dtype="int32")
    return ops.equal(ops.expand_dims(packing_ids, 1), ops.expand_dims(examples, 1))


def packing_attention_mask(packing_ids: KerasTensor) -> KerasTensor:
    """Lets tokens see each other where their packing ids are equal.

    Args:
        packing_ids: (batch, sequence) integers: the number of each token's document in its row, 0 at padding.

    Returns:
        (batch, 1, sequence, sequence) bool, True where the query (third axis) may see the key (fourth).
    """
    queries, keys = ops.expand_dims(packing_ids, (1, 3)), ops.expand_dims(packing_ids, (1, 2))
    return ops.equal(queries, keys)


def padding_attention_mask(padding_mask: KerasTensor) -> KerasTensor:
    """Lets every token see all keys but the padding.

    Args:
        padding_mask: (batch, sequence), 0 or False at padding.

    Returns:
        (batch, 1, 1, sequence) bool, which broadcasts over the queries.
    """
    return ops.cast(ops.expand_dims(padding_mask, (1, 2)), "bool")


def causal_attention_mask(length: int, window: int | None = None) -> KerasTensor:
    """Lets every token see itself and those before it, at most ``window`` in all: (1, 1, length, length) bool."""
    positions = np.arange(length)
    distances = positions[:, None] - positions[None, :]  # (query, key)
    return ops.convert_to_tensor(((distances >= 0) & (distances < (window or length)))[None, None])


def attention_bias(attention_mask: KerasTensor, dtype: str) -> KerasTensor:
    """Turns a mask into what is added to the attention scores: 0 where True, a large negative number where False.

    A model computes it once and gives it to every layer in place of the mask. The number is finite, so that a query
    that may see nothing gets equal scores rather than NaN.

    Args:
        attention_mask: bool of any shape that broadcasts to (batch, heads, query, key).
        dtype: the compute dtype of the layers.

    Returns:
        The bias, of the mask's shape and ``dtype``.
    """
    blocked = _BLOCKED_FLOAT16 if dtype == "float16" else _BLOCKED
    return ops.where(attention_mask, ops.cast(0.0, dtype), ops.cast(blocked, dtype))
