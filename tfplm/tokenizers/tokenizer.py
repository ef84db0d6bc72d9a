"""What every tokenizer does: text to ids and back, eagerly, in tf.data and inside a SavedModel."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.config import Config
from tfplm.tokenizers.offsets import OffsetRows, TokenOffsets


class Tokenizer(ABC):
    """Base of the tokenizers.

    Attributes:
        config: what the tokenizer was made with.
        vocabulary: the tokens, each at the index that is its id.
        vocabulary_size: how many there are, special ids and sentinels included.
        pad_id: stands where a row is not filled; 0 of what tfplm trains, the end where a vocabulary has none.
        unknown_id: stands for what cannot be encoded; None where there is no such thing.
        start_id: begins a text.
        end_id: ends a text.
        mask_id: stands for a masked token; None where the tokenizer is not for masked-language modelling.
        special_ids: the ids that no text gives.
        sentinel_ids: int32 (num_sentinels,), of <extra_id_0> first.
        is_lossless: every text comes back exactly.
        token_bytes: int32 (vocabulary,), the UTF-8 bytes of text that each token stands for; None unless lossless.
        is_word_start: bool (vocabulary,), the tokens that begin a word.
        runs_in_tflite: ``encode_flat`` is made of ops that TFLite has, with TensorFlow Text's.
    """

    config: Config
    vocabulary: list[str]
    vocabulary_size: int
    pad_id: int = 0
    unknown_id: int | None
    start_id: int
    end_id: int
    mask_id: int | None = None
    special_ids: tuple[int, ...]
    sentinel_ids: np.ndarray
    is_lossless: bool
    token_bytes: np.ndarray | None = None
    is_word_start: np.ndarray
    runs_in_tflite: bool = False

    @property
    def prefix_ids(self) -> tuple[int, ...]:
        """What stands before a text that is read alone."""
        return (self.start_id,)

    @property
    def suffix_ids(self) -> tuple[int, ...]:
        """What stands behind a text that is read alone."""
        return (self.end_id,)

    @abstractmethod
    def encode_ragged(self, texts: tf.Tensor | list[str]) -> tf.RaggedTensor:
        """Encodes texts without special ids; works eagerly, in tf.data and inside a SavedModel.

        Args:
            texts: strings (batch,).

        Returns:
            int32 ids (batch, None).
        """

    @abstractmethod
    def _offsets_in_graph(self, texts: tf.Tensor) -> TokenOffsets:
        """What ``encode_with_offsets`` gives of strings (batch,), in a graph."""

    @abstractmethod
    def decode(self, ids: np.ndarray | list[int]) -> str:
        """The text of ids; special ids and padding are left out."""

    @abstractmethod
    def decode_strings(self, ids: tf.Tensor) -> tf.Tensor:
        """Decodes rows of ids as ``decode`` does, eagerly or in a graph.

        Args:
            ids: integers (batch, length).

        Returns:
            UTF-8 strings (batch,).
        """

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Writes the tokenizer's files."""

    @classmethod
    @abstractmethod
    def load(cls, folder: str | Path) -> "Tokenizer":
        """Reads what ``save`` wrote. Raises UserError when it is missing, damaged or of another version."""

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        """Encodes Python strings without special ids; returns one int32 array a text."""
        ragged = self.encode_ragged([text.encode("utf-8", "replace") for text in texts])
        return np.split(ragged.flat_values.numpy(), ragged.row_splits.numpy()[1:-1]) if texts else []

    def encode_with_offsets(self, texts: tf.Tensor | list[str]) -> TokenOffsets:
        """Encodes texts and says where their tokens stand; works eagerly, in tf.data and inside a SavedModel.

        No span cuts a character, begins or ends with white space, or begins or ends before the one of a token before
        it. Tokens that are parts of one character all have the whole of it. What is white space alone has an empty
        span, and so has what stands for nothing in the text.

        Args:
            texts: strings (batch,).

        Returns:
            The ids of ``encode_ragged``, and the bytes where they start and end. ``character_offsets`` turns bytes
            into places by which Python slices.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        return self._offsets_eagerly(texts) if tf.executing_eagerly() else self._offsets_on_cpu(texts)

    @cached_property
    def _offsets_eagerly(self) -> Callable[[tf.Tensor], TokenOffsets]:
        return tf.function(self._offsets_on_cpu, [tf.TensorSpec([None], tf.string)])

    def _offsets_on_cpu(self, texts: tf.Tensor) -> TokenOffsets:
        with tf.device("CPU:0"):  # where strings are
            return self._offsets_in_graph(texts)

    def encode_rows(self, texts: tf.Tensor, sequence_length: int) -> tf.Tensor:
        """Encodes texts as model inputs: ``prefix_ids``, ids, ``suffix_ids`` and padding; ids that do not fit are cut.

        Args:
            texts: strings (batch,).
            sequence_length: columns of the result, with room for a token beside prefix and suffix.

        Returns:
            int32 ids (batch, sequence_length).

        Raises:
            ValueError: sequence_length has no room for the special ids.
        """
        ids = self.encode_ragged(texts)[:, : self._room(sequence_length)]
        return _framed(ids, *self._edges(), self.pad_id, sequence_length)

    def encode_rows_with_offsets(self, texts: tf.Tensor, sequence_length: int) -> OffsetRows:
        """Encodes texts as ``encode_rows`` does, and says where the tokens stand as ``encode_with_offsets`` does.

        Args:
            texts: strings (batch,).
            sequence_length: as of ``encode_rows``.

        Returns:
            int32 ids, starts and ends (batch, sequence_length); −1 for starts and ends of special ids and padding.

        Raises:
            ValueError: sequence_length has no room for the special ids.
        """
        ids, starts, ends = (values[:, : self._room(sequence_length)] for values in self.encode_with_offsets(texts))
        nowhere = [tf.fill([len(edge)], -1) for edge in (self.prefix_ids, self.suffix_ids)]
        rows = [_framed(ids, *self._edges(), self.pad_id, sequence_length)]
        rows += [_framed(places, *nowhere, -1, sequence_length) for places in (starts, ends)]
        return OffsetRows(*rows)

    def encode_flat(self, text: tf.Tensor, sequence_length: int) -> tf.Tensor:
        """Encodes one text as ``encode_rows`` does, without ragged ops, which TFLite lacks.

        Args:
            text: one string, shape () or (1,).
            sequence_length: as of ``encode_rows``.

        Returns:
            int32 ids (1, sequence_length).

        Raises:
            ValueError: sequence_length has no room for the special ids.
        """
        ids = self.encode_ragged(tf.reshape(text, [1])).flat_values[: self._room(sequence_length)]
        return _framed_flat(ids, *self._edges(), self.pad_id, sequence_length)

    def encode_flat_with_offsets(self, text: tf.Tensor, sequence_length: int) -> OffsetRows:
        """Encodes one text as ``encode_rows_with_offsets`` does, without ragged ops, which TFLite lacks.

        Args:
            text: one string, shape () or (1,).
            sequence_length: as of ``encode_rows``.

        Returns:
            int32 ids, starts and ends (1, sequence_length).

        Raises:
            ValueError: sequence_length has no room for the special ids.
        """
        offsets = self.encode_with_offsets(tf.reshape(text, [1]))
        ids, starts, ends = (values.flat_values[: self._room(sequence_length)] for values in offsets)
        nowhere = [tf.fill([len(edge)], -1) for edge in (self.prefix_ids, self.suffix_ids)]
        rows = [_framed_flat(ids, *self._edges(), self.pad_id, sequence_length)]
        rows += [_framed_flat(places, *nowhere, -1, sequence_length) for places in (starts, ends)]
        return OffsetRows(*rows)

    def _edges(self) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.constant(self.prefix_ids, tf.int32), tf.constant(self.suffix_ids, tf.int32)

    def _room(self, sequence_length: int) -> int:
        special = len(self.prefix_ids) + len(self.suffix_ids)
        if sequence_length < special:
            raise ValueError(
                f"sequence_length: expected at least {special} (prefix_ids, suffix_ids), got {sequence_length}"
            )
        return sequence_length - special

    def token_strings(self, ids: np.ndarray | list[int]) -> list[str]:
        """The vocabulary's token of every id."""
        return [self.vocabulary[index] for index in np.asarray(ids).reshape(-1)]


def _framed(
    values: tf.RaggedTensor, prefix: tf.Tensor, suffix: tf.Tensor, padding: int, sequence_length: int
) -> tf.Tensor:
    """Rows (batch, sequence_length) of values (batch, None) between prefix and suffix."""
    prefix, suffix = (tf.tile([edge], [values.nrows(), 1]) for edge in (prefix, suffix))
    return tf.concat([prefix, values, suffix], axis=1).to_tensor(padding, shape=[None, sequence_length])


def _framed_flat(
    values: tf.Tensor, prefix: tf.Tensor, suffix: tf.Tensor, padding: int, sequence_length: int
) -> tf.Tensor:
    """A row (1, sequence_length) of values (n,) between prefix and suffix."""
    row = tf.concat([prefix, values, suffix], axis=0)
    row = tf.pad(row, [[0, sequence_length - tf.size(row)]], constant_values=padding)
    return tf.reshape(row, [1, sequence_length])
