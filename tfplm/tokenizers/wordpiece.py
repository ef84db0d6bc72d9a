"""WordPiece by TensorFlow Text: one graph op in preparation, training, serving and on the phone."""

import json
import re
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.run_directory import write_text
from tfplm.tokenizers.configuration import WordPieceConfig

PAD, UNKNOWN, START, END, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUING_PREFIX = "##"
FORMAT_VERSION = 1

_CJK = "\u3000-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0002fa1f"
_SUPERFLUOUS_SPACE = re.compile(rf" (?=[{_CJK}.,;:!?)\]%’”…])|(?<=[{_CJK}(\[“‘]) | (?=['-] )|(?<= ['-]) ")


class WordPieceTokenizer:
    """Cuts text into WordPiece ids with ``tensorflow_text.FastBertTokenizer``.

    Text is folded (if ``config.lowercase``), split at white space and punctuation, every CJK character becomes a word
    of its own, and each word is cut greedily into the longest pieces of the vocabulary. A word that cannot be cut, or
    is longer than 100 bytes, is one ``[UNK]``.

    The literal text "[MASK]" (or any other special token) is ordinary text: it becomes the pieces of "[", "mask", "]"
    and never a special id, so that no text can forge one. Bytes that are not UTF-8 count as U+FFFD; nothing raises.

    The ids differ from those of the `tokenizers` package with the same vocabulary where

    - the op folds by Unicode's NFKC_Casefold before it strips accents, and the package only lowers case: "，" becomes
      ",", "½" becomes "1⁄2", "ß" becomes "ss", "Ⅻ" becomes "xii", "℃" becomes "°c". In English that is one line in
      1,600 (fractions), in Chinese most lines (full-width punctuation). ``train_wordpiece`` therefore folds with the
      op, so its vocabularies hold no piece that cannot occur. Without ``lowercase`` nothing of this applies;
    - the package removes control and zero-width characters, private-use characters and U+FFFD; here the former part
      words and the latter are unknown (cleaning, as corpora and tables get it, removes the control characters before);
    - the limit of a word's length is 100 bytes here and 100 characters there.

    Source: Devlin et al. 2019, section 3; Song et al. 2021, "Fast WordPiece Tokenization".

    Args:
        vocabulary: the tokens, each at the index that is its id; must hold the five special tokens.
        config: what the vocabulary was trained with; ``lowercase`` counts here.

    Raises:
        ValueError: a token stands twice or is empty, or a special token is missing.

    Example:
        >>> tokenizer = WordPieceTokenizer.load("runs/quickstart/tokenizer")
        >>> tokenizer.decode(tokenizer.encode(["Hello"])[0])
        'hello'
    """

    def __init__(self, vocabulary: list[str], config: WordPieceConfig):
        _check_vocabulary(vocabulary)
        self.vocabulary = list(vocabulary)
        self.vocabulary_size = len(vocabulary)
        self.config = config
        self.special_ids = tuple(vocabulary.index(token) for token in SPECIAL_TOKENS)
        self.pad_id, self.unknown_id, self.start_id, self.end_id, self.mask_id = self.special_ids
        self.is_word_start = np.array([not token.startswith(CONTINUING_PREFIX) for token in vocabulary])
        self._op = tf_text.FastBertTokenizer(
            self.vocabulary,
            token_out_type=tf.int32,
            unknown_token=UNKNOWN,
            lower_case_nfd_strip_accents=config.lowercase,
        )

    def encode_ragged(self, texts: tf.Tensor | list[str]) -> tf.RaggedTensor:
        """Encodes texts without special tokens; works eagerly, in tf.data and inside a SavedModel.

        Args:
            texts: strings (batch,).

        Returns:
            int32 ids (batch, None).
        """
        return self._op.tokenize(tf.convert_to_tensor(texts, tf.string))

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        """Encodes Python strings without special tokens; returns one int32 array a text."""
        ragged = self.encode_ragged([text.encode("utf-8", "replace") for text in texts])
        return np.split(ragged.flat_values.numpy(), ragged.row_splits.numpy()[1:-1]) if texts else []

    def encode_rows(self, texts: tf.Tensor, sequence_length: int) -> tf.Tensor:
        """Encodes texts as model inputs: ``[CLS]`` ids… ``[SEP]`` and padding, the ids cut where they do not fit.

        Args:
            texts: strings (batch,).
            sequence_length: columns of the result, at least 2.

        Returns:
            int32 ids (batch, sequence_length).

        Raises:
            ValueError: sequence_length has no room for the two special tokens.
        """
        _check_room(sequence_length)
        ids = self.encode_ragged(texts)[:, : sequence_length - 2]
        edge = tf.ones([ids.nrows(), 1], tf.int32)
        rows = tf.concat([edge * self.start_id, ids, edge * self.end_id], axis=1)
        return rows.to_tensor(self.pad_id, shape=[None, sequence_length])

    def encode_flat(self, text: tf.Tensor, sequence_length: int) -> tf.Tensor:
        """Encodes one text as ``encode_rows`` does, without ragged ops, which TFLite lacks.

        Args:
            text: one string, shape () or (1,).
            sequence_length: columns of the result, at least 2.

        Returns:
            int32 ids (1, sequence_length).

        Raises:
            ValueError: sequence_length has no room for the two special tokens.
        """
        _check_room(sequence_length)
        ids = self.encode_ragged(tf.reshape(text, [1])).flat_values[: sequence_length - 2]
        row = tf.concat([[self.start_id], ids, [self.end_id]], axis=0)
        row = tf.pad(row, [[0, sequence_length - tf.size(row)]], constant_values=self.pad_id)
        return tf.reshape(row, [1, sequence_length])

    def token_strings(self, ids: np.ndarray | list[int]) -> list[str]:
        """The vocabulary's token of every id."""
        return [self.vocabulary[index] for index in np.asarray(ids).reshape(-1)]

    def decode(self, ids: np.ndarray | list[int]) -> str:
        """Readable text of ids, for people: case, accents and exact spacing are lost, padding and edges left out."""
        left_out = (self.pad_id, self.start_id, self.end_id)
        tokens = self.token_strings([index for index in np.asarray(ids).reshape(-1) if index not in left_out])
        text = " ".join(tokens).replace(f" {CONTINUING_PREFIX}", "")
        return _SUPERFLUOUS_SPACE.sub("", text)

    def save(self, folder: str | Path) -> None:
        """Writes ``vocab.txt`` (a token a line, as BERT's) and ``tokenizer.json``."""
        folder = Path(folder)
        write_text(folder / "vocab.txt", "\n".join(self.vocabulary) + "\n")
        settings = {"format_version": FORMAT_VERSION, "config": self.config.model_dump(mode="json")}
        write_text(folder / "tokenizer.json", json.dumps(settings, indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> "WordPieceTokenizer":
        """Reads what ``save`` wrote. Raises UserError when it is missing, damaged or of another version."""
        folder = Path(folder)
        vocabulary_path, settings_path = folder / "vocab.txt", folder / "tokenizer.json"
        vocabulary = _read(vocabulary_path).removesuffix("\n").split("\n")
        config = _read_config(settings_path)
        try:
            return cls(vocabulary, config)
        except ValueError as error:
            raise UserError(
                f"{vocabulary_path} is damaged: {error}.",
                "Expected one token a line, every token once.",
                "Train the tokenizer again (tfplm tokenizer), or restore the file.",
            ) from error


def _check_room(sequence_length: int) -> None:
    if sequence_length < 2:
        raise ValueError(f"sequence_length: expected at least 2 ([CLS] and [SEP]), got {sequence_length}")


def _check_vocabulary(vocabulary: list[str]) -> None:
    seen: dict[str, int] = {}
    for index, token in enumerate(vocabulary):
        if not token:
            raise ValueError(f"token {index} is empty")
        if token in seen:
            raise ValueError(f"the token {token!r} stands at {seen[token]} and at {index}")
        seen[token] = index
    missing = [token for token in SPECIAL_TOKENS if token not in seen]
    if missing:
        raise ValueError(f"the vocabulary of {len(vocabulary)} tokens lacks {', '.join(missing)}")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(
            f"There is no {path}.",
            "Expected a tokenizer folder with vocab.txt and tokenizer.json.",
            "Train the tokenizer first (tfplm tokenizer).",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}.") from error


def _read_config(path: Path) -> WordPieceConfig:
    try:
        settings = json.loads(_read(path))
        version, values = settings["format_version"], settings["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}.", "Expected the JSON that tfplm wrote.") from error
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} is of format {version}.",
            f"This tfplm reads format {FORMAT_VERSION}.",
            "Train the tokenizer again (tfplm tokenizer).",
        )
    return validate(WordPieceConfig, values, str(path))
