"""One vector for a sequence, from the tokens that are not padding."""

from keras import KerasTensor, ops


def pool_max(hidden: KerasTensor, mask: KerasTensor) -> KerasTensor:
    """The largest value of each feature.

    Args:
        hidden: (batch, sequence, dim) float.
        mask: (batch, sequence) bool, False at padding.

    Returns:
        (batch, dim); 0 for a row without tokens.
    """
    mask = ops.expand_dims(mask, -1)
    lowest = ops.cast(-3e4, hidden.dtype)  # finite in every float type
    pooled = ops.max(ops.where(mask, hidden, lowest), axis=1)
    return ops.where(ops.any(mask, axis=1), pooled, ops.zeros_like(pooled))


def pool_mean(hidden: KerasTensor, mask: KerasTensor) -> KerasTensor:
    """The mean of each feature; arguments and result as of `pool_max`."""
    weights = ops.expand_dims(ops.cast(mask, hidden.dtype), -1)
    count = ops.maximum(ops.sum(weights, axis=1), ops.cast(1.0, hidden.dtype))
    return ops.sum(hidden * weights, axis=1) / count


def pool_last(hidden: KerasTensor, mask: KerasTensor) -> KerasTensor:
    """The vector of the last token; arguments and result as of `pool_max`, the first position for an empty row."""
    positions = ops.arange(hidden.shape[1], dtype="int32")
    last = ops.max(ops.where(mask, positions, 0), axis=1)  # (batch,)
    return gather_positions(hidden, ops.expand_dims(last, 1))[:, 0]


def gather_positions(hidden: KerasTensor, positions: KerasTensor) -> KerasTensor:
    """Takes some columns of every row.

    Args:
        hidden: (batch, sequence, dim).
        positions: (batch, count) integers below the length of the sequence.

    Returns:
        (batch, count, dim).
    """
    batch, sequence, dim = ops.shape(hidden)
    offsets = ops.expand_dims(ops.arange(batch, dtype="int32") * sequence, 1)
    rows = ops.cast(positions, "int32") + offsets  # (batch, count), into the rows of all sequences on end
    return ops.take(ops.reshape(hidden, (-1, dim)), rows, axis=0)
