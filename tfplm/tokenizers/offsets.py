"""Where tokens stand in their texts: offsets in bytes, as tokenizers have them, and in characters, as Python has."""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Unicode's white space, and the four separators that Python counts as such.
_SPACES = (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029)
_SPACES += (0x202F, 0x205F, 0x3000)

LONGEST_TEXT = 1 << 32  # more than a text's length


class TokenOffsets(NamedTuple):
    """The tokens of texts and where they stand in them.

    Attributes:
        ids: int32 ragged (batch, None).
        starts: int32 ragged (batch, None), the byte of the UTF-8 text where each token begins.
        ends: int32 ragged (batch, None), the byte behind each token.
    """

    ids: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor


class Spans(NamedTuple):
    """Parts of texts.

    Attributes:
        rows: int64 (spans,), which text each is a part of.
        starts: int64 (spans,), where it begins; in bytes or characters of its text.
        ends: int64 (spans,), where it ends, exclusive.
    """

    rows: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor

    def in_order(self) -> "Spans":
        """The same with starts and ends that do not go back; they do where normalization makes a space of a part."""
        bases = self.rows * LONGEST_TEXT
        starts, ends = (tf.sort(bases + places) - bases for places in (self.starts, self.ends))
        return Spans(self.rows, starts, ends)

    def of(self, ids: tf.RaggedTensor) -> TokenOffsets:
        """The spans as those of the tokens ``ids``."""
        starts, ends = (ids.with_flat_values(tf.cast(places, tf.int32)) for places in (self.starts, self.ends))
        return TokenOffsets(ids, starts, ends)


class Characters:
    """The characters of texts, and the bytes that they are made of.

    Bytes that are not UTF-8 are characters as in Python's ``decode("utf-8", "replace")``.

    Args:
        texts: strings (batch,).

    Attributes:
        codes: int32 ragged (batch, None).
    """

    def __init__(self, texts: tf.Tensor):
        self.codes, starts = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
        self._starts = starts.flat_values  # (characters of all texts,), in the text of each
        self._splits = self.codes.row_splits
        self._num_bytes = tf.cast(tf.strings.length(texts), tf.int64)  # (batch,)

    def to_bytes(self, rows: tf.Tensor, characters: tf.Tensor) -> tf.Tensor:
        """Byte offsets of character offsets, int64 (n,) each; those outside of a text count as its edge."""
        first, end = tf.gather(self._splits, rows), tf.gather(self._splits, rows + 1)
        places = first + tf.maximum(characters, 0)
        lengths = tf.gather(self._num_bytes, rows)
        starts = tf.concat([self._starts, tf.zeros([1], tf.int64)], axis=0)
        return tf.where(places < end, tf.gather(starts, tf.minimum(places, end)), lengths)

    def at_bytes(self, rows: tf.Tensor, offsets: tf.Tensor) -> tf.Tensor:
        """The characters that the bytes at offsets belong to, int64 (n,) each; a text's end is one behind its last."""
        bases = tf.cumsum(self._num_bytes, exclusive=True)
        begins = tf.gather(bases, self.codes.value_rowids()) + self._starts
        is_begin = tf.scatter_nd(begins[:, None], tf.ones_like(begins, tf.int32), [tf.reduce_sum(self._num_bytes) + 1])
        characters = tf.cumsum(is_begin) - 1  # (bytes of all texts + 1,)
        offsets, length = tf.maximum(offsets, 0), tf.gather(self._num_bytes, rows)
        places = tf.gather(bases, rows) + tf.minimum(offsets, length)
        found = tf.cast(tf.gather(characters, places), tf.int64)
        found = tf.where(offsets < length, found, tf.gather(self._splits, rows + 1))
        return found - tf.gather(self._splits, rows)

    def covering(self, spans: Spans) -> Spans:
        """Spans in characters of those in bytes; of characters that are cut the whole counts."""
        starts = self.at_bytes(spans.rows, spans.starts)
        lasts = self.at_bytes(spans.rows, tf.maximum(spans.ends - 1, spans.starts))
        return Spans(spans.rows, starts, tf.where(spans.ends > spans.starts, lasts + 1, starts))

    def spans(self, rows: tf.Tensor, first: tf.Tensor, end: tf.Tensor) -> Spans:
        """Spans in characters of those that are counted through all texts."""
        bases = tf.gather(self._splits, rows)
        return Spans(rows, first - bases, end - bases)

    def byte_spans(self, spans: Spans) -> Spans:
        """Spans in bytes of those in characters."""
        starts, ends = (self.to_bytes(spans.rows, places) for places in (spans.starts, spans.ends))
        return Spans(spans.rows, starts, tf.maximum(starts, ends))

    def without_space(self, spans: Spans) -> Spans:
        """Spans in characters without the white space at their edges; one of white space alone is empty, at its end."""
        is_space = tf.gather(_is_space(), tf.minimum(self.codes.flat_values, len(_is_space()) - 1))
        others = tf.where(~is_space)[:, 0]
        before = tf.cumsum(tf.cast(~is_space, tf.int32))  # others up to and including each character
        before = tf.concat([tf.zeros([1], tf.int32), before], axis=0)
        bases, ends = tf.gather(self._splits, spans.rows), tf.gather(self._splits, spans.rows + 1)
        start, end = (tf.clip_by_value(bases + places, bases, ends) for places in (spans.starts, spans.ends))
        edge = tf.size(is_space, tf.int64)[None]
        following = tf.gather(tf.concat([others, edge], axis=0), tf.gather(before, start))
        preceding = tf.gather(tf.concat([[-1], others], axis=0), tf.gather(before, end))
        start = tf.minimum(following, end)
        return Spans(spans.rows, start - bases, tf.maximum(tf.minimum(preceding + 1, end), start) - bases)


def character_offsets(
    texts: tf.Tensor | list[str], byte_offsets: tf.Tensor | tf.RaggedTensor
) -> tf.Tensor | tf.RaggedTensor:
    """Offsets in characters of Unicode, by which Python slices, of offsets in bytes of UTF-8; also in a graph.

    Args:
        texts: strings (batch,).
        byte_offsets: integers (batch, n), dense or ragged. One inside of a character counts as where that begins, one
            behind the text as its end; −1, which stands for none, stays.

    Returns:
        int32, of the same shape and kind.
    """
    return _converted(texts, byte_offsets, Characters.at_bytes)


def byte_offsets(
    texts: tf.Tensor | list[str], character_offsets: tf.Tensor | tf.RaggedTensor
) -> tf.Tensor | tf.RaggedTensor:
    """Offsets in bytes of UTF-8 of offsets in characters of Unicode, by which Python slices; also in a graph.

    Args:
        texts: strings (batch,).
        character_offsets: integers (batch, n), dense or ragged. One behind the text counts as its end; −1, which stands
            for none, stays.

    Returns:
        int32, of the same shape and kind.
    """
    return _converted(texts, character_offsets, Characters.to_bytes)


def _converted(texts, offsets, convert):
    texts = tf.convert_to_tensor(texts, tf.string)
    is_ragged = isinstance(offsets, tf.RaggedTensor)
    offsets = offsets if is_ragged else tf.convert_to_tensor(offsets)
    values = tf.cast(offsets.flat_values if is_ragged else tf.reshape(offsets, [-1]), tf.int64)
    rows = offsets.value_rowids() if is_ragged else tf.range(tf.size(values)) // tf.maximum(tf.shape(offsets)[1], 1)
    with tf.device("CPU:0"):
        found = convert(Characters(texts), tf.cast(rows, tf.int64), values)
    found = tf.cast(tf.where(values < 0, values, found), tf.int32)
    return offsets.with_flat_values(found) if is_ragged else tf.reshape(found, tf.shape(offsets))


@functools.cache
def _is_space() -> np.ndarray:
    """Bool (0x3002,), for every code up to one behind the last space, which stands for all that follow."""
    return np.isin(np.arange(max(_SPACES) + 2), _SPACES)
