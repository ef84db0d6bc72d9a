"""WordPiece by TensorFlow Text: one graph op in preparation, training, serving and on the phone."""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.errors import UserError
from tfplm.run_directory import write_text
from tfplm.tokenizers.bert_normalization import BertWordPiece
from tfplm.tokenizers.casefold_normalization import CasefoldWordPiece
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.folder import read_config, read_text, write_settings
from tfplm.tokenizers.offsets import TokenOffsets
from tfplm.tokenizers.tokenizer import Tokenizer

PAD, UNKNOWN, START, END, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUING_PREFIX = "##"

_CJK = "\u3000-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0002fa1f"
_CLOSING, _OPENING = rf"[{_CJK}.,;:!?)\]%’”…]", rf"[{_CJK}(\[“‘]"
_SUPERFLUOUS_SPACE = re.compile(rf" (?={_CLOSING})|(?<={_OPENING}) | (?=['-] )|(?<= ['-]) ")
# The same for RE2, which cannot look around. Each space is written twice, so that no two rules want the same one.
_NO_SPACE = "\n"
_GRAPH_RULES = (
    (" ", "  "),
    (rf" ({_CLOSING})", rf"{_NO_SPACE}\1"),
    (rf"({_OPENING}) ", rf"\1{_NO_SPACE}"),
    (" (['-]) ", rf"{_NO_SPACE}\1{_NO_SPACE}"),
    (rf"{_NO_SPACE}[ {_NO_SPACE}]| {_NO_SPACE}", ""),
    ("  ", " "),
)


class WordPieceTokenizer(Tokenizer):
    """Cuts text into WordPiece ids with ``tensorflow_text.FastBertTokenizer``, or just as BERT itself does.

    ``config.normalization`` "bert" is for checkpoints of others and gives the ids of the `tokenizers` package (see
    ``BertWordPiece``); its ops are not in TFLite. What follows is of "casefold", which tfplm trains.

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
        config: what the vocabulary was trained with; ``normalization``, ``lowercase``, ``strip_accents`` count here.

    Attributes:
        runs_in_tflite: the graph of ``encode_flat`` has ops of TFLite and of TensorFlow Text for TFLite only.

    Raises:
        ValueError: a special token is missing; or a token stands twice or is empty, which only old vocabularies of
            others may ("bert": the last of equal ones counts).

    Example:
        >>> tokenizer = WordPieceTokenizer.load("runs/quickstart/tokenizer")
        >>> tokenizer.decode(tokenizer.encode(["Hello"])[0])
        'hello'
    """

    is_lossless = False

    def __init__(self, vocabulary: list[str], config: WordPieceConfig):
        _check_vocabulary(vocabulary, is_strict=config.normalization == "casefold")
        self.vocabulary = list(vocabulary)
        self.vocabulary_size = len(vocabulary)
        self.config = config
        self.sentinel_ids = np.array([], np.int32)
        last = {token: index for index, token in enumerate(vocabulary)}
        self.special_ids = tuple(last[token] for token in SPECIAL_TOKENS)
        self.pad_id, self.unknown_id, self.start_id, self.end_id, self.mask_id = self.special_ids
        self.is_word_start = np.array([not token.startswith(CONTINUING_PREFIX) for token in vocabulary])
        self.runs_in_tflite = config.normalization == "casefold"
        self._op = _build_op(self.vocabulary, config)
        self._left_out = (self.pad_id, self.start_id, self.end_id)
        words = ["" if index in self._left_out else f" {token}" for index, token in enumerate(vocabulary)]
        self._word_table = tf.constant(words)

    def encode_ragged(self, texts: tf.Tensor | list[str]) -> tf.RaggedTensor:
        """Encodes texts without special tokens; works eagerly, in tf.data and inside a SavedModel.

        Args:
            texts: strings (batch,).

        Returns:
            int32 ids (batch, None).
        """
        return self._op.tokenize(tf.convert_to_tensor(texts, tf.string))

    def _offsets_in_graph(self, texts: tf.Tensor) -> TokenOffsets:
        return self._op.tokenize_with_offsets(texts)

    def decode(self, ids: np.ndarray | list[int]) -> str:
        """Readable text of ids, for people: case, accents and exact spacing are lost, padding and edges left out."""
        tokens = self.token_strings([index for index in np.asarray(ids).reshape(-1) if index not in self._left_out])
        text = " ".join(tokens).replace(f" {CONTINUING_PREFIX}", "")
        return _SUPERFLUOUS_SPACE.sub("", text)

    def decode_strings(self, ids: tf.Tensor) -> tf.Tensor:
        """Decodes rows of ids as ``decode`` does, eagerly or in a graph.

        Args:
            ids: integers (batch, length).

        Returns:
            UTF-8 strings (batch,).
        """
        text = tf.strings.reduce_join(tf.gather(self._word_table, ids), axis=-1)
        text = tf.strings.regex_replace(text, "^ ", "")
        text = tf.strings.regex_replace(text, f" {CONTINUING_PREFIX}", "")
        for pattern, replacement in _GRAPH_RULES:
            text = tf.strings.regex_replace(text, pattern, replacement)
        return text

    def save(self, folder: str | Path) -> None:
        """Writes ``vocab.txt`` (a token a line, as BERT's) and ``tokenizer.json``."""
        folder = Path(folder)
        write_text(folder / "vocab.txt", "\n".join(self.vocabulary) + "\n")
        write_settings(folder, self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "WordPieceTokenizer":
        """Reads what ``save`` wrote. Raises UserError when it is missing, damaged or of another version."""
        path = Path(folder) / "vocab.txt"
        vocabulary = read_text(path).removesuffix("\n").split("\n")
        config = read_config(Path(folder), WordPieceConfig)
        try:
            return cls(vocabulary, config)
        except ValueError as error:
            raise UserError(
                f"{path} is damaged: {error}.",
                "Expected one token a line, every token once.",
                "Train the tokenizer again (tfplm tokenizer), or restore the file.",
            ) from error


def _build_op(vocabulary: list[str], config: WordPieceConfig) -> CasefoldWordPiece | BertWordPiece:
    if config.normalization == "bert":
        return BertWordPiece(vocabulary, UNKNOWN, config.lowercase, config.strip_accents)
    return CasefoldWordPiece(vocabulary, UNKNOWN, config.lowercase)


def _check_vocabulary(vocabulary: list[str], is_strict: bool) -> None:
    seen: dict[str, int] = {}
    for index, token in enumerate(vocabulary):
        if not token and is_strict:
            raise ValueError(f"token {index} is empty")
        if token in seen and is_strict:
            raise ValueError(f"the token {token!r} stands at {seen[token]} and at {index}")
        seen[token] = index
    missing = [token for token in SPECIAL_TOKENS if token not in seen]
    if missing:
        raise ValueError(f"the vocabulary of {len(vocabulary)} tokens lacks {', '.join(missing)}")
