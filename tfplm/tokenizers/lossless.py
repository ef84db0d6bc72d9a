"""Tokenizers whose tokens each stand for certain bytes of text: joined, they give it back."""

import unicodedata
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property

import numpy as np
import tensorflow as tf

from tfplm.config import Config
from tfplm.tokenizers.offsets import Characters, Spans, TokenOffsets
from tfplm.tokenizers.tokenizer import Tokenizer

SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>", "<s>")
PAD_ID, END_ID, UNKNOWN_ID, START_ID = range(len(SPECIAL_TOKENS))

# First bytes of characters that are words of their own: U+3000 to U+9FFF, U+F000 to U+FFFF, and from U+10000 on.
_LEADS_OF_WORDS = frozenset((*range(0xE3, 0xEA), *range(0xEF, 0xF5)))


def byte_token(byte: int) -> str:
    """The name of a byte's token, as SentencePiece writes it."""
    return f"<0x{byte:02X}>"


class PieceTokenizer(Tokenizer):
    """Base of the tokenizers whose tokens each stand for certain bytes: decoding joins them.

    Special ids stand for no text and come from no text: a literal "</s>" is ordinary text. Ids that are joined in
    another way than ``encode_ragged`` gives them, as a model may do, can hold bytes that are not UTF-8: they decode to
    U+FFFD. So do ids over the vocabulary's end to nothing.

    Args:
        config: what the tokenizer was made with.
        vocabulary: the names of all tokens.
        texts: the bytes that each of them stands for; none for a special one.
    """

    def __init__(self, config: Config, vocabulary: list[str], texts: list[bytes]):
        self.config = config
        self.vocabulary = vocabulary
        self.vocabulary_size = len(vocabulary)
        self._texts = texts
        self._text_table = tf.constant([*texts, b""])  # (vocabulary + 1,): the last is for ids over the end
        self.is_word_start = np.array([_starts_word(text) for text in texts])

    @cached_property
    def _encode_eagerly(self) -> Callable[[tf.Tensor], tf.RaggedTensor]:
        # Eager ops lose a SentencePiece model whenever a seed is set, which empties TensorFlow's cache of kernels.
        return tf.function(self._encode_in_graph, [tf.TensorSpec([None], tf.string)])

    def encode_ragged(self, texts: tf.Tensor | list[str]) -> tf.RaggedTensor:
        """Encodes texts without special ids; works eagerly, in tf.data and inside a SavedModel.

        Args:
            texts: strings (batch,).

        Returns:
            int32 ids (batch, None).
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        return self._encode_eagerly(texts) if tf.executing_eagerly() else self._encode_in_graph(texts)

    @abstractmethod
    def _encode_in_graph(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Encodes strings (batch,) as int32 ids (batch, None), in a graph."""

    def _offsets_in_graph(self, texts: tf.Tensor) -> TokenOffsets:
        ids = self._encode_in_graph(texts)
        characters = Characters(texts)
        return characters.byte_spans(characters.without_space(self._character_spans(texts, ids))).of(ids)

    def _character_spans(self, texts: tf.Tensor, ids: tf.RaggedTensor) -> Spans:
        """The characters that tokens are made of, where the bytes of the tokens joined are the text.

        Args:
            texts: strings (batch,).
            ids: int32 (batch, None), of these.
        """
        num_characters, begins_inside = _character_counts(self._texts)
        ends = tf.cumsum(tf.gather(num_characters, ids.flat_values))
        behind = tf.concat([tf.zeros([1], tf.int64), ends], axis=0)
        rows = ids.value_rowids()
        bases = tf.gather(tf.gather(behind, ids.row_starts()), rows)
        starts = behind[:-1] - tf.gather(begins_inside, ids.flat_values)
        return Spans(rows, starts - bases, ends - bases)

    def decode(self, ids: np.ndarray | list[int]) -> str:
        """The text of ids, exactly; special ids and padding are left out."""
        known = (index for index in np.asarray(ids, np.int64).reshape(-1) if 0 <= index < self.vocabulary_size)
        return b"".join(self._texts[index] for index in known).decode("utf-8", "replace")

    def decode_strings(self, ids: tf.Tensor) -> tf.Tensor:
        """Decodes rows of ids as ``decode`` does, eagerly or in a graph.

        Args:
            ids: integers (batch, length).

        Returns:
            UTF-8 strings (batch,).
        """
        ids = tf.cast(ids, tf.int32)
        known = tf.where((ids >= 0) & (ids < self.vocabulary_size), ids, self.vocabulary_size)
        joined = tf.strings.reduce_join(tf.gather(self._text_table, known), axis=-1)
        return tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace")


class ImportedTokenizer(PieceTokenizer):
    """Base of the tokenizers of other projects, whose configuration says what stands around a text."""

    @property
    def prefix_ids(self) -> tuple[int, ...]:
        """What stands before a text that is read alone."""
        return tuple(self.config.prefix_ids)

    @property
    def suffix_ids(self) -> tuple[int, ...]:
        """What stands behind a text that is read alone."""
        return tuple(self.config.suffix_ids)

    @property
    def pair_separator_ids(self) -> tuple[int, ...]:
        """What stands between two texts that are read together; RoBERTa's family has its separator twice there."""
        if self.config.pair_separator_ids is not None:
            return tuple(self.config.pair_separator_ids)
        is_roberta = len(self.prefix_ids) == len(self.suffix_ids) == 1 and self.vocabulary[self.prefix_ids[0]] == "<s>"
        return self.suffix_ids * 2 if is_roberta else super().pair_separator_ids


class LosslessTokenizer(PieceTokenizer):
    """Base of the tokenizers that tfplm trains and that lose nothing.

    Args:
        config: what the tokenizer was made with.
        tokens: the names of all tokens but the sentinels, the four special ones first.
        texts: the bytes that each of them stands for; none for a special one.
        num_sentinels: how many sentinels follow; <extra_id_0> has the last id, as in T5.
    """

    unknown_id, start_id, end_id = UNKNOWN_ID, START_ID, END_ID
    is_lossless = True

    def __init__(self, config: Config, tokens: list[str], texts: list[bytes], num_sentinels: int):
        sentinels = [f"<extra_id_{i}>" for i in reversed(range(num_sentinels))]
        super().__init__(config, [*tokens, *sentinels], [*texts, *[b""] * num_sentinels])
        self.sentinel_ids = np.arange(len(tokens), self.vocabulary_size, dtype=np.int32)[::-1].copy()
        self.special_ids = (*range(len(SPECIAL_TOKENS)), *range(len(tokens), self.vocabulary_size))
        self.token_bytes = np.array([len(text) for text in self._texts], np.int32)


def _character_counts(texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """How many characters begin in each token, and 1 where it begins inside of one: int64 (vocabulary,) each."""
    is_inside = [[byte & 0xC0 == 0x80 for byte in text] for text in texts]  # the later bytes of a character
    begins = [len(bytes_) - sum(bytes_) for bytes_ in is_inside]
    return np.array(begins, np.int64), np.array([any(bytes_[:1]) for bytes_ in is_inside], np.int64)


def _starts_word(text: bytes) -> bool:
    """Whether a token begins a word: white space, punctuation, CJK signs and special tokens do."""
    if not text:
        return True
    character = text.decode("utf-8", "ignore")[:1]
    if not character:  # a part of a character
        return text[0] in _LEADS_OF_WORDS
    return unicodedata.category(character)[0] not in "LMN" or character.encode()[0] in _LEADS_OF_WORDS
