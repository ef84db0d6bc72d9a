"""One vector for a text, from those of its tokens."""

from keras import KerasTensor, ops

_LOWEST = -3e4  # finite in every float type


def pool_first(hidden: KerasTensor, example_starts: KerasTensor | None = None) -> KerasTensor:
    """The vector of the first token.

    Args:
        hidden: (batch, sequence, dim) float.
        example_starts: (batch, examples) integers, the first column of every example; None for one text a row.

    Returns:
        (batch, dim), or (batch, examples, dim).
    """
    return hidden[:, 0] if example_starts is None else gather_positions(hidden, example_starts)


def pool_max(hidden: KerasTensor, mask: KerasTensor) -> KerasTensor:
    """The largest value of each feature.

    Args:
        hidden: (batch, sequence, dim) float.
        mask: bool, True at the tokens of the text: (batch, sequence), or (batch, examples, sequence), in which no token
            belongs to two examples.

    Returns:
        (batch, dim), or (batch, examples, dim); 0 where there are no tokens.
    """
    lowest = ops.cast(_LOWEST, hidden.dtype)
    if len(mask.shape) == 2:
        pooled = ops.max(ops.where(ops.expand_dims(mask, -1), hidden, lowest), axis=1)
    else:
        pooled = ops.maximum(_example_max(hidden, mask), lowest)
    return ops.where(ops.expand_dims(ops.any(mask, axis=-1), -1), pooled, ops.zeros_like(pooled))


def _example_max(hidden: KerasTensor, mask: KerasTensor) -> KerasTensor:
    """As `pool_max` of several examples, but of no certain value where there are no tokens."""
    batch, num_examples, _ = ops.shape(mask)
    of_example = ops.argmax(mask, axis=1)  # (batch, sequence)
    segments = ops.cast(of_example, "int32") + ops.expand_dims(ops.arange(batch, dtype="int32") * num_examples, 1)
    # Padding goes behind all examples.
    segments = ops.where(ops.any(mask, axis=1), segments, batch * num_examples)
    dim = hidden.shape[-1]
    pooled = ops.segment_max(
        ops.reshape(hidden, (-1, dim)), ops.reshape(segments, (-1,)), num_segments=batch * num_examples + 1
    )
    return ops.reshape(pooled[:-1], (batch, num_examples, dim))


def pool_mean(hidden: KerasTensor, mask: KerasTensor) -> KerasTensor:
    """The mean of each feature; arguments and result as of `pool_max`."""
    weights = ops.cast(mask, hidden.dtype)
    count = ops.maximum(ops.sum(weights, axis=-1, keepdims=True), ops.cast(1.0, hidden.dtype))
    if len(mask.shape) == 2:
        return ops.sum(hidden * ops.expand_dims(weights, -1), axis=1) / count
    return ops.matmul(weights, hidden) / count


def pool_last(hidden: KerasTensor, mask: KerasTensor) -> KerasTensor:
    """The vector of the last token; arguments and result as of `pool_max`, the first position where there is none."""
    positions = ops.arange(hidden.shape[1], dtype="int32")
    last = ops.max(ops.where(mask, positions, 0), axis=-1)  # (batch,) or (batch, examples)
    if len(mask.shape) == 2:
        return gather_positions(hidden, ops.expand_dims(last, 1))[:, 0]
    return gather_positions(hidden, last)


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
