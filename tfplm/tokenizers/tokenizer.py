"""What every tokenizer does: text to ids and back, eagerly, in tf.data and inside a SavedModel."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.config import Config


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
        prefix, suffix = (tf.tile([edge], [ids.nrows(), 1]) for edge in self._edges())
        return tf.concat([prefix, ids, suffix], axis=1).to_tensor(self.pad_id, shape=[None, sequence_length])

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
        prefix, suffix = self._edges()
        row = tf.concat([prefix, ids, suffix], axis=0)
        row = tf.pad(row, [[0, sequence_length - tf.size(row)]], constant_values=self.pad_id)
        return tf.reshape(row, [1, sequence_length])

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
