"""SentencePiece models of other projects, with the ids and the normalization of their own tokenizers."""

import functools
import itertools
from pathlib import Path

import numpy as np
import tensorflow as tf
from sentencepiece import SentencePieceProcessor
from tokenizers import normalizers

from tfplm.errors import UserError
from tfplm.tokenizers.character_map import CharacterMap
from tfplm.tokenizers.configuration import ImportedSentencePieceConfig
from tfplm.tokenizers.folder import read_config, write_vocabulary
from tfplm.tokenizers.lossless import ImportedTokenizer
from tfplm.tokenizers.offsets import Characters, Spans, TokenOffsets
from tfplm.tokenizers.rewriting import (
    CharacterRules,
    NormalForm,
    Prefix,
    Replacement,
    Rewriting,
    Transcoding,
    rewrite,
    trace,
)
from tfplm.tokenizers.sentencepiece import MODEL_FILE, SPACE_SIGN, build_op, load_processor, read_model, write_model

# Rules of the `tokenizers` package that go character by character; the composing forms look at neighbours.
_CHARACTER_RULES = {
    "nmt": normalizers.Nmt,
    "nfd": normalizers.NFD,
    "nfkd": normalizers.NFKD,
    "strip_accents": normalizers.StripAccents,
    "lowercase": normalizers.Lowercase,
}
_PREFIXES = {"always": (), "unless_space": (" ", SPACE_SIGN)}  # what a text may begin with and gets none


class ImportedSentencePieceTokenizer(ImportedTokenizer):
    """Cuts text with a SentencePiece model as it is, by ``tensorflow_text.SentencepieceTokenizer``.

    Unlike tfplm's own ``SentencePieceTokenizer`` nothing is escaped: the model's normalization changes characters and
    spaces, and a text may hold what is unknown, so not every text comes back.

    No text forges a special id: they are control symbols, which SentencePiece does not find in text, whatever they were
    in the model that was imported. Bytes that are not UTF-8 count as U+FFFD; nothing raises.

    The ids differ from those of `transformers` and `tokenizers` where

    - the text holds the name of a special token of a unigram model: they take it for its piece, even if told not to;
    - two cuts of a unigram model have exactly the same score, as "99" "9" and "9" "99": each chooses in its own way;
    - the character map joins a letter and its accent, and a second accent follows: they lose that, it is unknown here;
    - a model file without tokenizer.json has symbols of its own (ALBERT's parentheses): they cut the text there before
      everything else and begin a new word behind, SentencePiece cuts inside of words.

    Args:
        model: the serialized model, whose pieces stand at their ids.
        config: the special ids, and what happens to a text before and behind the model.

    Raises:
        ValueError: the model is none, or does not fit the configuration.

    Source: Kudo and Richardson 2018.
    """

    is_lossless = False
    runs_in_tflite = False

    def __init__(self, model: bytes, config: ImportedSentencePieceConfig):
        processor = load_processor(model)
        vocabulary, texts = _pieces(processor)
        if len(vocabulary) != config.vocabulary_size:
            raise ValueError(f"the model has {len(vocabulary)} tokens, expected {config.vocabulary_size}")
        super().__init__(config, vocabulary, texts)
        self.model = model
        self.special_ids, self.sentinel_ids = tuple(config.special_ids), np.array(config.sentinel_ids, np.int32)
        self.pad_id = config.end_id if config.pad_id < 0 else config.pad_id
        self.unknown_id, self.mask_id = config.unknown_id, config.mask_id
        self.start_id, self.end_id = config.start_id, config.end_id
        if max(*self.special_ids, self.unknown_id, self.pad_id, self.start_id, self.end_id) >= self.vocabulary_size:
            raise ValueError(f"special ids are over the model's {self.vocabulary_size} tokens")
        forgeable = [
            index for index in self.special_ids if not (processor.IsControl(index) or processor.IsUnknown(index))
        ]
        if forgeable:
            raise ValueError(f"the special token {self.vocabulary[forgeable[0]]!r} is no control symbol of the model")
        self.is_word_start = np.array([piece.startswith(SPACE_SIGN) for piece in self.vocabulary])
        self.is_word_start[list(self.special_ids)] = True
        self._is_space = np.array([text.isspace() for text in texts])
        self._rewritings = _rewritings(config)

    def _encode_in_graph(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return build_op(self.model).tokenize(rewrite(self._rewritings, texts)[-1])

    def _offsets_in_graph(self, texts: tf.Tensor) -> TokenOffsets:
        stages = rewrite(self._rewritings, texts)
        ids, starts, ends = build_op(self.model).tokenize_with_offsets(stages[-1])
        starts, ends = (tf.cast(places.flat_values, tf.int64) for places in (starts, ends))
        # A token that is not the last part of what was one character has an empty span, and so has a space put before.
        rows = ids.value_rowids()
        is_first = tf.gather(ids.row_starts(), rows) == tf.range(tf.size(rows, tf.int64))
        is_part = (starts == ends) & ~(is_first & tf.gather(self._is_space, ids.flat_values))
        spans = Characters(stages[-1]).covering(Spans(rows, starts, tf.where(is_part, ends + 1, ends)))
        characters = Characters(texts)
        spans = trace(self._rewritings, stages, spans)
        return characters.byte_spans(characters.without_space(spans)).in_order().of(ids)

    def decode(self, ids: np.ndarray | list[int]) -> str:
        """The text of ids; special ids, unknown ones and padding are left out."""
        text = super().decode(ids)
        return text.removeprefix(" ") if self.config.strips_prefix else text

    def decode_strings(self, ids: tf.Tensor) -> tf.Tensor:
        """Decodes rows of ids as ``decode`` does, eagerly or in a graph.

        Args:
            ids: integers (batch, length).

        Returns:
            UTF-8 strings (batch,).
        """
        texts = super().decode_strings(ids)
        return tf.strings.regex_replace(texts, "^ ", "") if self.config.strips_prefix else texts

    def save(self, folder: str | Path) -> None:
        """Writes ``sentencepiece.model``, ``tokenizer.json`` with its digest, and ``vocab.txt`` for people."""
        write_vocabulary(Path(folder), self.vocabulary)
        write_model(Path(folder), self.model, self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "ImportedSentencePieceTokenizer":
        """Reads what ``save`` wrote. Raises UserError when it is missing, damaged or of another version."""
        config = read_config(Path(folder), ImportedSentencePieceConfig)
        try:
            return cls(read_model(Path(folder)), config)
        except ValueError as error:
            raise UserError(
                f"{Path(folder) / MODEL_FILE} does not fit tokenizer.json: {error}.",
                "Expected the files as the import wrote them.",
                "Import the checkpoint again (tfplm import), or restore the files.",
            ) from error


def _rewritings(config: ImportedSentencePieceConfig) -> list[Rewriting]:
    """What comes before the normalization that the model holds; neighbouring rules for characters become one map."""
    steps: list[Rewriting] = [Transcoding(), *(Replacement(*pair) for pair in config.replacements)]
    for is_map, group in itertools.groupby(config.normalization, key=_CHARACTER_RULES.__contains__):
        members = tuple(group)
        steps += [CharacterRules(_character_map(members))] if is_map else [NormalForm(name.upper()) for name in members]
    if config.dummy_prefix in _PREFIXES:
        steps.append(Prefix(SPACE_SIGN, _PREFIXES[config.dummy_prefix]))
    return steps


@functools.lru_cache(maxsize=4)
def _character_map(names: tuple[str, ...]) -> CharacterMap:
    return CharacterMap(normalizers.Sequence([_CHARACTER_RULES[name]() for name in names]).normalize_str)


def _pieces(processor: SentencePieceProcessor) -> tuple[list[str], list[bytes]]:
    """The pieces of a model and the bytes that they stand for; control symbols and the unknown one stand for none."""
    pieces = [processor.IdToPiece(index) for index in range(processor.GetPieceSize())]
    texts = [piece.replace(SPACE_SIGN, " ").encode() for piece in pieces]
    for index, piece in enumerate(pieces):
        if processor.IsByte(index):
            texts[index] = bytes([int(piece[3:5], 16)])
        elif processor.IsControl(index) or processor.IsUnknown(index):
            texts[index] = b""
    return pieces, texts
