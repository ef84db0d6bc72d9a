"""SentencePiece by TensorFlow Text: the same graph op in preparation, training and serving."""

import hashlib
from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text
from sentencepiece import SentencePieceProcessor

from tfplm.config import Config
from tfplm.errors import UserError
from tfplm.tokenizers.configuration import SentencePieceConfig
from tfplm.tokenizers.folder import read_bytes, read_config, read_settings, write_settings, write_vocabulary
from tfplm.tokenizers.lossless import SPECIAL_TOKENS, LosslessTokenizer

MODEL_FILE = "sentencepiece.model"
SPACE_SIGN = "▁"  # U+2581, SentencePiece's own for a space
ESCAPE = "\x10"  # U+0010, "data link escape"
ESCAPED_ESCAPE, ESCAPED_SPACE_SIGN = "\x10\x11", "\x10\x12"


class SentencePieceTokenizer(LosslessTokenizer):
    """Cuts text into SentencePiece ids with ``tensorflow_text.SentencepieceTokenizer``, and brings it back exactly.

    The model changes no character and adds no space, what its pieces do not cover becomes bytes, and a line end is one
    token. SentencePiece writes a space as U+2581, and could not tell a literal "▁" from it: its normalization rule
    makes U+0010 U+0012 of that one, which is one token, and the graph makes U+0010 U+0011 of U+0010 before, which is
    another.

    No text forges a special id: SentencePiece finds neither control symbols nor names of bytes in text, and sentinels
    are no part of its model. Bytes that are not UTF-8 count as U+FFFD; nothing raises.

    The ids differ from those of the `sentencepiece` package with the same model and escapes where two cuts of a
    unigram model have exactly the same score: "000" as "00" "0" here and as "0" "00" there, as the two versions
    compare in another order. Of 26,033 lines of speeches that were 4 to 6, equal signs in a row each time; with bpe it
    was none.

    Args:
        model: the serialized SentencePiece model, as ``train_sentencepiece`` makes it.
        config: what it was trained with; ``num_sentinels`` counts here.

    Raises:
        ValueError: the model is none, or of another kind.

    Source: Kudo and Richardson 2018; Raffel et al. 2020, "T5", section 3.1.1 for the sentinels.
    """

    runs_in_tflite = False

    def __init__(self, model: bytes, config: SentencePieceConfig):
        tokens, texts = _pieces(model)
        super().__init__(config, tokens, texts, config.num_sentinels)
        if self.vocabulary_size != config.vocabulary_size:
            raise ValueError(f"the model has {self.vocabulary_size} tokens, expected {config.vocabulary_size}")
        self.model = model

    def _encode_in_graph(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return build_op(self.model).tokenize(tf.strings.regex_replace(texts, ESCAPE, ESCAPED_ESCAPE))

    def save(self, folder: str | Path) -> None:
        """Writes ``sentencepiece.model``, ``tokenizer.json`` with its digest, and ``vocab.txt`` for people."""
        write_vocabulary(Path(folder), self.vocabulary)
        write_model(Path(folder), self.model, self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "SentencePieceTokenizer":
        """Reads what ``save`` wrote. Raises UserError when it is missing, damaged or of another version."""
        config = read_config(Path(folder), SentencePieceConfig)
        model = read_model(Path(folder))
        try:
            return cls(model, config)
        except ValueError as error:
            raise UserError(
                f"{Path(folder) / MODEL_FILE} does not fit tokenizer.json: {error}.",
                "Expected a model that tfplm trained.",
                "Train the tokenizer again (tfplm tokenizer), or restore the files.",
            ) from error


def build_op(model: bytes) -> tf_text.SentencepieceTokenizer:
    """The op that encodes, for one graph.

    Every graph gets an op of its own, which holds the model: a SavedModel could not save one from outside. The
    functions of a SavedModel that is loaded share a model by its name: another one must not have it.
    """
    return tf_text.SentencepieceTokenizer(model, out_type=tf.int32, name=f"sentencepiece_{_digest(model)[:16]}")


def write_model(folder: Path, model: bytes, config: Config) -> None:
    """Writes ``sentencepiece.model``, and ``tokenizer.json`` with its digest."""
    (folder / MODEL_FILE).write_bytes(model)
    write_settings(folder, config, sha256=_digest(model))


def read_model(folder: Path) -> bytes:
    """Reads ``sentencepiece.model``. Raises UserError when it is not the one that ``tokenizer.json`` notes."""
    path = folder / MODEL_FILE
    model = read_bytes(path)
    if _digest(model) != read_settings(folder).get("sha256"):
        raise UserError(
            f"{path} is damaged: its digest is not the one that tokenizer.json notes.",
            "Expected the two files as they were written together.",
            "Train the tokenizer again (tfplm tokenizer), or restore the file.",
        )
    return model


def load_processor(model: bytes) -> SentencePieceProcessor:
    """The model as the `sentencepiece` package reads it. Raises ValueError when it is none."""
    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise ValueError(f"this is no SentencePiece model: {error}") from error
    return processor


def _digest(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()


def _pieces(model: bytes) -> tuple[list[str], list[bytes]]:
    """The pieces of a model and the bytes that they stand for; a control symbol stands for none."""
    processor = load_processor(model)
    indices = range(processor.GetPieceSize())
    pieces = [processor.IdToPiece(index) for index in indices]
    if tuple(pieces[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
        raise ValueError(f"the model begins with {pieces[: len(SPECIAL_TOKENS)]}, expected {list(SPECIAL_TOKENS)}")
    literal = {ESCAPED_ESCAPE: ESCAPE, ESCAPED_SPACE_SIGN: SPACE_SIGN}
    texts = [literal.get(piece, piece.replace(SPACE_SIGN, " ")).encode() for piece in pieces]
    texts[: len(SPECIAL_TOKENS)] = [b""] * len(SPECIAL_TOKENS)
    for index in indices:
        if processor.IsByte(index):
            texts[index] = bytes([int(pieces[index][3:5], 16)])
    return pieces, texts
