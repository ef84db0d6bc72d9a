"""Rows of ids that models take: what frames a text or a pair of texts, what is cut, what fills up."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import tensorflow as tf

Truncation = Literal["longest_first", "second"]


class OffsetRows(NamedTuple):
    """Model inputs, and where their tokens stand in the texts.

    Attributes:
        token_ids: int32 (batch, sequence_length).
        starts: int32 (batch, sequence_length), the byte where each token begins; −1 at special ids and padding.
        ends: int32 (batch, sequence_length), the byte behind each token; −1 at special ids and padding.
    """

    token_ids: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


class PairRows(NamedTuple):
    """Model inputs of pairs of texts.

    Attributes:
        token_ids: int32 (batch, sequence_length): prefix, first text, separator, second text, suffix, padding.
        segment_ids: int32 (batch, sequence_length): 1 at the second text and the suffix, 0 elsewhere.
    """

    token_ids: tf.Tensor
    segment_ids: tf.Tensor


def padded_rows(parts: Sequence[tf.RaggedTensor | tuple[int, ...]], padding: int, sequence_length: int) -> tf.Tensor:
    """Parts side by side, and padding behind them.

    Args:
        parts: int32 ragged (batch, None), or ids that stand in every row.
        padding: stands where a row is not filled.
        sequence_length: columns of the result; what does not fit is cut.

    Returns:
        int32 (batch, sequence_length).
    """
    num_rows = next(part.nrows() for part in parts if isinstance(part, tf.RaggedTensor))
    columns = [
        part if isinstance(part, tf.RaggedTensor) else tf.tile([tf.constant(part, tf.int32)], [num_rows, 1])
        for part in parts
    ]
    return tf.concat(columns, axis=1).to_tensor(padding, shape=[None, sequence_length])


def padded_row(parts: Sequence[tf.Tensor | tuple[int, ...]], padding: int, sequence_length: int) -> tf.Tensor:
    """Does as ``padded_rows`` for one row without ragged ops, of parts (n,) that fit; int32 (1, sequence_length)."""
    row = tf.concat([tf.convert_to_tensor(part, tf.int32) for part in parts], axis=0)
    row = tf.pad(row, [[0, sequence_length - tf.size(row)]], constant_values=padding)
    return tf.reshape(row, [1, sequence_length])


def segment_rows(starts: tf.Tensor, ends: tf.Tensor, sequence_length: int) -> tf.Tensor:
    """1 from ``starts`` to ``ends``, int32 (batch,) each, and 0 elsewhere: int32 (batch, sequence_length)."""
    places = tf.range(sequence_length)
    return tf.cast((places >= starts[:, tf.newaxis]) & (places < ends[:, tf.newaxis]), tf.int32)


def cut_rows(ids: tf.RaggedTensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """The first ids of every row, as many as ``lengths`` (batch,) says, which are no more than there are."""
    starts, lengths = ids.row_starts(), tf.cast(lengths, tf.int64)
    places = tf.ragged.range(starts, starts + lengths)
    return places.with_flat_values(tf.gather(ids.flat_values, places.flat_values))


def truncated_lengths(
    first: tf.Tensor, second: tf.Tensor, room: int, truncation: Truncation
) -> tuple[tf.Tensor, tf.Tensor]:
    """How many tokens of two texts stay.

    Args:
        first: int32 (batch,), tokens of the first text.
        second: int32 (batch,), tokens of the second text.
        room: for both together.
        truncation: "longest_first" cuts the longer text down to the length of the other, then both: lengths as the
            `tokenizers` package leaves them, the odd token is the longer text's. "second" cuts the first text only
            where it alone is too long.

    Returns:
        int32 (batch,) each.

    Raises:
        ValueError: truncation is another one.
    """
    if truncation == "second":
        first = tf.minimum(first, room)
        return first, tf.minimum(second, room - first)
    if truncation != "longest_first":
        raise ValueError(f"truncation: expected one of {', '.join(get_args(Truncation))}, got {truncation!r}")
    shorter, longer = tf.minimum(first, second), tf.maximum(first, second)
    cuts_both = 2 * shorter > room
    longer = tf.where(cuts_both, tf.minimum(longer, room - room // 2), tf.minimum(longer, room - shorter))
    shorter = tf.where(cuts_both, room // 2, shorter)
    is_swapped = first > second
    return tf.where(is_swapped, longer, shorter), tf.where(is_swapped, shorter, longer)
