"""WordPiece with BERT's own normalization, as the checkpoints of others need it."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from tfplm.tokenizers.character_map import CharacterMap
from tfplm.tokenizers.offsets import Characters, Spans, TokenOffsets

_CONTINUING = "##"  # begins a piece inside of a word
MAX_WORD_LENGTH = 100  # characters
_UNKNOWN_WORD = " "  # no token holds one
_FRAME = " "
_SPACE = ord(_FRAME)


class BertWordPiece:
    """Cuts text into WordPiece ids exactly as ``BertNormalizer``, ``BertPreTokenizer`` and ``WordPiece`` do.

    These are of the `tokenizers` package, whose rules go character by character: control, format and private-use
    characters and U+FFFD are removed; white space is a space; a CJK ideograph or a punctuation sign is a word of its
    own; accents are stripped (NFD without category Mn), case is lowered. The rules of the installed package are put
    into a table in the graph, the words are cut by ``tensorflow_text.FastWordpieceTokenizer``.

    What stays different: canonical order. The package sorts combining marks by their class before it strips accents;
    where two spacing marks of different class (category Mc, such as U+302E and U+1B44) follow each other in another
    order, they keep it here.

    Source: Devlin et al. 2019, section 3; Song et al. 2021, "Fast WordPiece Tokenization".

    Args:
        vocabulary: the tokens, each at the index that is its id. Of a token that stands twice the last one counts, an
            empty one never occurs.
        unknown_token: what a word becomes that cannot be cut or is over 100 characters long.
        lowercase: lowers case.
        strip_accents: strips accents; as ``lowercase`` where None.
    """

    def __init__(self, vocabulary: list[str], unknown_token: str, lowercase: bool, strip_accents: bool | None):
        self._map = _bert_map(lowercase, lowercase if strip_accents is None else strip_accents)
        self._op = tf_text.FastWordpieceTokenizer(
            _without_unreachable(vocabulary),
            token_out_type=tf.int32,
            unknown_token=unknown_token,
            max_bytes_per_word=4 * MAX_WORD_LENGTH,
            no_pretokenization=True,
        )
        lengths = [0 if token == unknown_token else len(token.removeprefix(_CONTINUING)) for token in vocabulary]
        self._lengths = np.array(lengths, np.int64)  # characters; 0: as many as the word has

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Encodes strings (batch,) as int32 ids (batch, None)."""
        words = _Words(self._map(tf.strings.unicode_decode(tf.strings.join([_FRAME, texts]), "UTF-8")))
        return words.joined(self._pieces(words))

    def tokenize_with_offsets(self, texts: tf.Tensor) -> TokenOffsets:
        """Encodes strings (batch,). An accent that is stripped belongs to the token before it."""
        characters = Characters(tf.strings.join([_FRAME, texts]))
        codes, *sources = self._map.with_sources(characters.codes)
        words = _Words(codes)
        pieces = self._pieces(words)
        # The characters of all words are those of their pieces, one behind another; an unknown word is one piece.
        lengths = tf.gather(self._lengths, pieces.flat_values)
        of_word = tf.gather(words.characters.row_lengths(), pieces.value_rowids())
        ends = tf.cumsum(tf.where(lengths > 0, lengths, of_word))
        starts = tf.concat([tf.zeros([1], tf.int64), ends], axis=0)[:-1]
        first, end = (tf.boolean_mask(places, words.in_word) for places in sources)
        ids = words.joined(pieces)
        spans = characters.byte_spans(
            characters.spans(ids.value_rowids(), tf.gather(first, starts), tf.gather(end, ends - 1))
        )
        return Spans(spans.rows, spans.starts - len(_FRAME), spans.ends - len(_FRAME)).of(ids)

    def _pieces(self, words: "_Words") -> tf.RaggedTensor:
        """Int32 ids (words, None)."""
        strings = tf.strings.unicode_encode(words.characters, "UTF-8")
        return self._op.tokenize(tf.where(words.characters.row_lengths() > MAX_WORD_LENGTH, _UNKNOWN_WORD, strings))


class _Words:
    """The words of texts whose characters are mapped.

    Attributes:
        in_word: bool (mapped characters of all texts,), those that are no space.
        characters: int32 ragged (words of all texts, None).
    """

    def __init__(self, codes: tf.RaggedTensor):
        self.in_word = codes.flat_values != _SPACE
        # Every text begins with a space, so that a word begins nowhere but behind one.
        begins = tf.cast(self.in_word & tf.roll(~self.in_word, 1, axis=0), tf.int64)
        words_before = tf.concat([tf.zeros([1], tf.int64), tf.cumsum(begins)], axis=0)  # (characters + 1,)
        self._splits = tf.gather(words_before, codes.row_splits)
        self.characters = tf.RaggedTensor.from_value_rowids(
            tf.boolean_mask(codes.flat_values, self.in_word),
            tf.boolean_mask(words_before[1:] - 1, self.in_word),
            nrows=words_before[-1],
            validate=False,
        )

    def joined(self, pieces: tf.RaggedTensor) -> tf.RaggedTensor:
        """The pieces of texts (batch, None), of those of words (words, None)."""
        splits = tf.gather(pieces.row_splits, self._splits)
        return tf.RaggedTensor.from_row_splits(pieces.flat_values, splits, validate=False)


@functools.lru_cache(maxsize=4)
def _bert_map(lowercase: bool, strip_accents: bool) -> CharacterMap:
    """What BERT makes of a character, with spaces around one that is a word of its own."""
    normalizer = BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=strip_accents, lowercase=lowercase
    )
    pre_tokenizer = BertPreTokenizer()

    def split(text: str) -> str:
        text = normalizer.normalize_str(text)
        # Between letters only signs come alone, or an "a" between two of them.
        parts = pre_tokenizer.pre_tokenize_str(f"a{'a'.join(set(text))}a")
        signs = {part for part, _ in parts if len(part) == 1} - {"a"}
        return text.translate({ord(sign): f" {sign} " for sign in signs})

    return CharacterMap(split)


def _without_unreachable(vocabulary: list[str]) -> list[str]:
    """The vocabulary as the op takes it, which wants every token once and none empty."""
    last = {token: index for index, token in enumerate(vocabulary)}
    return [
        token if last[token] == index and token and " " not in token else f" {index}"
        for index, token in enumerate(vocabulary)
    ]
