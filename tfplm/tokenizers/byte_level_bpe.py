"""Byte-level BPE of imported checkpoints (GPT-2, RoBERTa, Llama 3, Qwen2, SmolLM), in plain TensorFlow ops."""

import hashlib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.errors import UserError
from tfplm.run_directory import write_text
from tfplm.tokenizers.byte_level_patterns import split_words
from tfplm.tokenizers.byte_pair_merging import BytePairMerging
from tfplm.tokenizers.configuration import ByteLevelBpeConfig
from tfplm.tokenizers.folder import read_config, read_settings, read_text, write_settings
from tfplm.tokenizers.lossless import ImportedTokenizer
from tfplm.tokenizers.offsets import Spans
from tfplm.tokenizers.rewriting import NormalForm, Prefix, Transcoding, rewrite, trace

# The name of every byte: printable Latin-1 signs stand for themselves, the others for U+0100 and so on, in order.
_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = tuple(byte for byte in range(256) if byte not in _PRINTABLE)
BYTE_SIGNS = "".join(chr(byte if byte in _PRINTABLE else 256 + _OTHERS.index(byte)) for byte in range(256))
_BYTES = {sign: byte for byte, sign in enumerate(BYTE_SIGNS)}
_NUM_HASHES = 2**63 - 1
_VOCABULARY, _MERGES = "vocab.json", "merges.txt"


class ByteLevelBpeTokenizer(ImportedTokenizer):
    """Cuts text into words by a known expression and each word's bytes into tokens by ranked merges.

    The ids are those of the `tokenizers` package with the same files, but that a special or added token in a text is
    ordinary text here and never its id, so that no text can forge one, and that letters and numbers which are newer
    than Python's Unicode tables are other signs. Bytes that are not UTF-8 count as U+FFFD; nothing raises.

    Source: Radford et al. 2019, "GPT-2", section 2.2; Sennrich et al. 2016.

    Args:
        vocabulary: the names of all tokens, each at the index that is its id; the bytes are written as GPT-2 does.
        merges: pairs of names, the lowest rank first.
        config: the expression and the special ids.

    Raises:
        ValueError: vocabulary, merges and config do not fit each other.

    Example:
        >>> tokenizer = read_byte_level_bpe(Path("gpt2"))
        >>> tokenizer.token_strings(tokenizer.encode(["Hello world"])[0])
        ['Hello', 'Ġworld']
    """

    def __init__(self, vocabulary: list[str], merges: list[tuple[str, str]], config: ByteLevelBpeConfig):
        ids = _checked_ids(vocabulary, config)
        special = set(config.special_ids)
        texts = [b"" if index in special else _token_bytes(token) for index, token in enumerate(vocabulary)]
        super().__init__(config, list(vocabulary), texts)
        self.merges = list(merges)
        self.start_id, self.end_id = config.start_id, config.end_id
        self.pad_id = config.end_id if config.pad_id < 0 else config.pad_id
        self.unknown_id, self.mask_id = config.unknown_id, config.mask_id
        self.special_ids = tuple(sorted(special))
        self.sentinel_ids = np.array([], np.int32)
        self.is_lossless = not (config.normalize or config.add_prefix_space)
        if self.is_lossless:
            self.token_bytes = np.array([len(text) for text in texts], np.int32)
        normal_form = [Transcoding(), NormalForm("NFC")] if config.normalize else []
        self._rewritings = [*normal_form, *([Prefix(" ", unless=(" ",))] if config.add_prefix_space else [])]
        self._merge = BytePairMerging(*_merge_table(ids, self.merges, special), self.vocabulary_size)
        self._hashes, self._hashed_ids = self._whole_words()

    def _encode_in_graph(self, texts: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("CPU:0"):  # where the tables are
            words, edges = split_words(rewrite(self._rewritings, texts)[-1], self.config.pattern)
            words, index = tf.unique(words)
            values, starts, lengths = self._encode_words(words)
            starts, lengths = tf.gather(starts, index), tf.gather(lengths, index)
            ids = tf.gather(values, tf.ragged.range(starts, starts + lengths).flat_values)
            ends = tf.concat([[0], tf.cumsum(lengths)], axis=0)
            return tf.RaggedTensor.from_row_splits(ids, tf.gather(ends, edges), validate=False)

    def _character_spans(self, texts: tf.Tensor, ids: tf.RaggedTensor) -> Spans:
        return trace(self._rewritings, rewrite(self._rewritings, texts), super()._character_spans(texts, ids))

    def _encode_words(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Tokens (values,) of words, and where those of each word start and how many they are, int64 (words,)."""
        hashes = tf.strings.to_hash_bucket_fast(words, _NUM_HASHES)
        whole = tf.gather(self._hashed_ids, tf.searchsorted(self._hashes, hashes))
        is_whole = tf.gather(self._text_table, whole) == words
        others = tf.where(~is_whole)
        merged = self._merge(tf.gather_nd(words, others))
        num_words = tf.size(words, tf.int64)
        starts = tf.tensor_scatter_nd_update(tf.range(num_words), others, merged.row_starts() + num_words)
        lengths = tf.tensor_scatter_nd_update(tf.ones_like(starts), others, merged.row_lengths())
        return tf.concat([whole, merged.flat_values], axis=0), starts, lengths

    def _whole_words(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Hashes, sorted, and ids of the tokens that a word of the same text becomes, with one behind the end.

        Most words are such, and need no merging then. With ``ignore_merges`` all tokens are, otherwise those that
        the merges lead to.
        """
        with tf.device("CPU:0"):
            ordinary = zip(self.vocabulary, self._texts, strict=True)
            ids = [index for index, (token, text) in enumerate(ordinary) if text and _is_in_signs(token)]
            ids = np.array(ids, np.int32)
            texts = tf.gather(self._text_table, ids)
            if not self.config.ignore_merges:
                tokens = self._merge(texts)
                is_whole = (tokens.row_lengths().numpy() == 1) & (tokens[:, :1].flat_values.numpy() == ids)
                ids, texts = ids[is_whole], tf.boolean_mask(texts, is_whole)
            hashes = tf.strings.to_hash_bucket_fast(texts, _NUM_HASHES).numpy()
            order = np.argsort(hashes)
            hashes, ids = np.append(hashes[order], _NUM_HASHES), np.append(ids[order], self.vocabulary_size)
            return tf.constant(hashes), tf.constant(ids, tf.int32)

    def save(self, folder: str | Path) -> None:
        """Writes ``vocab.json``, ``merges.txt`` and ``tokenizer.json`` with their digests."""
        folder = Path(folder)
        texts = {_VOCABULARY: vocabulary_json(self.vocabulary), _MERGES: merges_text(self.merges)}
        for name, text in texts.items():
            write_text(folder / name, text)
        write_settings(folder, self.config, sha256={name: _digest(text) for name, text in texts.items()})

    @classmethod
    def load(cls, folder: str | Path) -> "ByteLevelBpeTokenizer":
        """Reads what ``save`` wrote. Raises UserError when it is missing, damaged or of another version."""
        folder = Path(folder)
        config = read_config(folder, ByteLevelBpeConfig)
        texts = {name: read_text(folder / name) for name in (_VOCABULARY, _MERGES)}
        if {name: _digest(text) for name, text in texts.items()} != read_settings(folder).get("sha256"):
            raise UserError(
                f"{folder} is damaged: the digests of {_VOCABULARY} and {_MERGES} are not those in tokenizer.json.",
                "Expected the three files as they were written together.",
                "Import the checkpoint again (tfplm import), or restore the files.",
            )
        try:
            return cls(list(json.loads(texts[_VOCABULARY])), parse_merges(texts[_MERGES]), config)
        except ValueError as error:
            raise UserError(
                f"The files of {folder} do not fit each other: {error}.",
                "Expected what tfplm wrote.",
                "Import the checkpoint again (tfplm import), or restore the files.",
            ) from error


def vocabulary_json(vocabulary: list[str]) -> str:
    """The content of ``vocab.json``: ids by name, in order."""
    return json.dumps({token: index for index, token in enumerate(vocabulary)}, ensure_ascii=False) + "\n"


def merges_text(merges: list[tuple[str, str]]) -> str:
    """The content of ``merges.txt``: a line that names the version, then a pair a line."""
    return "".join(["#version: 0.2\n", *(f"{left} {right}\n" for left, right in merges)])


def parse_merges(text: str) -> list[tuple[str, str]]:
    """The pairs of ``merges.txt``. Raises ValueError naming the first line that is none."""
    merges = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if line and not (number == 1 and line.startswith("#version")):
            left, _, right = line.partition(" ")
            if not left or not right or " " in right:
                raise ValueError(f"line {number} of the merges is {line[:80]!r}, expected two tokens")
            merges.append((left, right))
    return merges


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _token_bytes(token: str) -> bytes:
    """The bytes that a token stands for; a token that is not written in byte signs stands for its own."""
    if _is_in_signs(token):
        return bytes(_BYTES[sign] for sign in token)
    return token.encode()


def _is_in_signs(token: str) -> bool:
    return all(sign in _BYTES for sign in token)


def _checked_ids(vocabulary: list[str], config: ByteLevelBpeConfig) -> dict[str, int]:
    """Ids by name. Raises ValueError where vocabulary and configuration do not fit."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    if len(ids) != len(vocabulary):
        raise ValueError(f"{len(vocabulary) - len(ids)} tokens stand twice in the vocabulary")
    if len(vocabulary) != config.vocabulary_size:
        raise ValueError(f"the vocabulary has {len(vocabulary)} tokens, expected {config.vocabulary_size}")
    if any("\ud800" <= sign <= "\udfff" for token in vocabulary for sign in token):
        raise ValueError("a token of the vocabulary is no Unicode text")
    special = set(config.special_ids)
    missing = [f"0x{byte:02X}" for byte, sign in enumerate(BYTE_SIGNS) if ids.get(sign, -1) in {-1, *special}]
    if missing:
        raise ValueError(f"{len(missing)} of the 256 bytes are no ordinary tokens, such as {missing[0]}")
    named = [config.start_id, config.end_id, config.pad_id, config.unknown_id or 0, config.mask_id or 0]
    framing = (*config.prefix_ids, *config.suffix_ids, *(config.pair_separator_ids or ()))
    highest = max(*named, *framing, *config.special_ids)
    if highest >= len(vocabulary):
        raise ValueError(f"the special id {highest} is over the vocabulary's end, {len(vocabulary) - 1}")
    return ids


def _merge_table(
    ids: dict[str, int], merges: list[tuple[str, str]], special: set[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ids of the bytes (256,), of the pairs (merges, 2) and of what they become (merges,).

    A merge that would make a special token is left out. Of a pair that stands twice the last place counts.
    """
    table = {}
    for left, right in merges:
        lacking = [token for token in (left, right, left + right) if token not in ids]
        if lacking:
            raise ValueError(f"the vocabulary lacks {lacking[0]!r} of the merge {left!r} {right!r}")
        if ids[left + right] not in special:
            table.pop((ids[left], ids[right]), None)
            table[ids[left], ids[right]] = ids[left + right]
    pairs = np.array(list(table), np.int64).reshape(-1, 2)
    byte_ids = np.array([ids[sign] for sign in BYTE_SIGNS])
    return byte_ids, pairs, np.array(list(table.values()), np.int64)
