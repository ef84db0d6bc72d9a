"""What every tokenizer does: text to ids and back, eagerly, in tf.data and inside a SavedModel."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.config import Config
from tfplm.tokenizers.offsets import TokenOffsets
from tfplm.tokenizers.rows import (
    OffsetRows,
    PairRows,
    Truncation,
    cut_rows,
    padded_row,
    padded_rows,
    segment_rows,
    truncated_lengths,
)


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

    @property
    def pair_separator_ids(self) -> tuple[int, ...]:
        """What stands between two texts that are read together."""
        return self.suffix_ids or (self.end_id,)

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

        No span cuts a character, begins or ends with white space that parts words, or begins or ends before the one of
        a token before it. Tokens that are parts of one character all have the whole of it. What is white space alone
        has an empty span, and so has what stands for nothing in the text.

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
        return tf.function(self._offsets_on_cpu, [tf.TensorSpec([None], tf.string)], autograph=False)

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
        return padded_rows([self.prefix_ids, ids, self.suffix_ids], self.pad_id, sequence_length)

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
        ids, *places = (values[:, : self._room(sequence_length)] for values in self.encode_with_offsets(texts))
        rows = padded_rows([self.prefix_ids, ids, self.suffix_ids], self.pad_id, sequence_length)
        before, behind = self._nowhere()
        return OffsetRows(rows, *(padded_rows([before, part, behind], -1, sequence_length) for part in places))

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
        return padded_row([self.prefix_ids, ids, self.suffix_ids], self.pad_id, sequence_length)

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
        ids, *places = (values.flat_values[: self._room(sequence_length)] for values in offsets)
        row = padded_row([self.prefix_ids, ids, self.suffix_ids], self.pad_id, sequence_length)
        before, behind = self._nowhere()
        return OffsetRows(row, *(padded_row([before, part, behind], -1, sequence_length) for part in places))

    def encode_pair_rows(
        self, first: tf.Tensor, second: tf.Tensor, sequence_length: int, truncation: Truncation = "longest_first"
    ) -> PairRows:
        """Encodes pairs of texts as model inputs: prefix, first, ``pair_separator_ids``, second, suffix, padding.

        Args:
            first: strings (batch,).
            second: strings (batch,).
            sequence_length: columns of the result, with room for tokens beside the special ids.
            truncation: what is cut of a pair that does not fit: "longest_first" cuts the longer text down to the length
                of the other, then both; "second" cuts the second text, and the first only where it alone is too long.

        Returns:
            int32 ids and segments (batch, sequence_length); 1 is the segment of the second text and the suffix.

        Raises:
            ValueError: sequence_length has no room for the special ids, or truncation is another one.
        """
        room = self._room(sequence_length, self.pair_separator_ids)
        ids = [self.encode_ragged(texts) for texts in (first, second)]
        lengths = truncated_lengths(*(tf.cast(part.row_lengths(), tf.int32) for part in ids), room, truncation)
        parts = [cut_rows(*part) for part in zip(ids, lengths, strict=True)]
        return PairRows(
            padded_rows(self._pair(*parts), self.pad_id, sequence_length),
            self._pair_segments(*lengths, sequence_length),
        )

    def encode_flat_pair(
        self, first: tf.Tensor, second: tf.Tensor, sequence_length: int, truncation: Truncation = "longest_first"
    ) -> PairRows:
        """Encodes one pair of texts as ``encode_pair_rows`` does, without ragged ops, which TFLite lacks.

        Args:
            first: one string, shape () or (1,).
            second: one string, shape () or (1,).
            sequence_length: as of ``encode_pair_rows``.
            truncation: as of ``encode_pair_rows``.

        Returns:
            int32 ids and segments (1, sequence_length).

        Raises:
            ValueError: sequence_length has no room for the special ids, or truncation is another one.
        """
        room = self._room(sequence_length, self.pair_separator_ids)
        ids = [self.encode_ragged(tf.reshape(text, [1])).flat_values for text in (first, second)]
        lengths = truncated_lengths(*(tf.size(part)[tf.newaxis] for part in ids), room, truncation)
        parts = [part[: length[0]] for part, length in zip(ids, lengths, strict=True)]
        return PairRows(
            padded_row(self._pair(*parts), self.pad_id, sequence_length),
            self._pair_segments(*lengths, sequence_length),
        )

    def _pair(self, first, second) -> list:
        """The parts of a pair's row, of the ids of its texts."""
        return [self.prefix_ids, first, self.pair_separator_ids, second, self.suffix_ids]

    def _pair_segments(self, first: tf.Tensor, second: tf.Tensor, sequence_length: int) -> tf.Tensor:
        """Segments (batch, sequence_length) of pairs, by the lengths (batch,) of their texts."""
        starts = len(self.prefix_ids) + first + len(self.pair_separator_ids)
        return segment_rows(starts, starts + second + len(self.suffix_ids), sequence_length)

    def _nowhere(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The offsets of prefix and suffix."""
        return (-1,) * len(self.prefix_ids), (-1,) * len(self.suffix_ids)

    def _room(self, sequence_length: int, separator: tuple[int, ...] = ()) -> int:
        special = len(self.prefix_ids) + len(separator) + len(self.suffix_ids)
        if sequence_length < special:
            names = "prefix_ids, pair_separator_ids, suffix_ids" if separator else "prefix_ids, suffix_ids"
            raise ValueError(f"sequence_length: expected at least {special} ({names}), got {sequence_length}")
        return sequence_length - special

    def token_strings(self, ids: np.ndarray | list[int]) -> list[str]:
        """The vocabulary's token of every id."""
        return [self.vocabulary[index] for index in np.asarray(ids).reshape(-1)]
