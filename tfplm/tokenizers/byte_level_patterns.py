r"""Cutting text into words as the regular expressions of byte-level BPE do, by vectorised ops.

TensorFlow's regular expressions cannot look ahead and know only ASCII white space. The expressions sort characters into
letters, numbers, white space and other signs, and join neighbours by rules: a table of classes, and comparisons of
neighbouring runs of a class, give the same words.

    gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    digits  the same, once every \p{N} is cut out (SmolLM, StarCoder)
    llama3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
            \s+(?!\S)|\s+
    qwen2   the same with \p{N} for \p{N}{1,3}

Characters are sorted by the Unicode tables of Python: one that is newer than they are is another sign.
"""

import functools
import unicodedata

import numpy as np
import tensorflow as tf

from tfplm.tokenizers.configuration import ByteLevelPattern

# Classes of characters; the last three are white space.
_EDGE, _LETTER, _NUMBER, _OTHER, _SPACE, _NEWLINE, _BLANK = range(7)
_BLANKS = (9, 11, 12, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_LONGEST_NUMBERS = {"digits": 1, "llama3": 3, "qwen2": 1}
_LONG_S = 0x17F  # an "s" where case is ignored


def split_words(texts: tf.Tensor, pattern: ByteLevelPattern) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts texts into the words that byte-level BPE looks at one by one; joined they are the texts.

    Args:
        texts: strings (batch,), UTF-8; bytes that are not become U+FFFD.
        pattern: whose expression.

    Returns:
        The words of all texts, strings (words,), and where those of each text begin and end, int64 (batch + 1,).
    """
    characters = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    codes, edges = characters.flat_values, characters.row_splits
    starts = _word_starts(_Runs(codes, edges), pattern)
    words = tf.RaggedTensor.from_row_starts(codes, starts, validate=False)
    return tf.strings.unicode_encode(words, "UTF-8"), tf.searchsorted(starts, edges)


class _Runs:
    """The runs of characters of one class.

    Attributes:
        codes: int32 (characters,), of all texts.
        starts, lasts: int64 (runs,), the first and the last character of each run.
        classes, before, after: uint8 (runs,), the class of each run and of its neighbours, _EDGE at a text's edges.
        is_lone_sign: bool (runs,), one other sign that stands before letters, and behind no space.
    """

    def __init__(self, codes: tf.Tensor, edges: tf.Tensor):
        self.codes = codes
        num_characters = tf.size(codes, tf.int64)
        classes = tf.gather(tf.constant(_character_classes()), codes)  # (characters,)
        begins_text = _marked(edges, num_characters + 1)  # (characters + 1,)
        self.starts = tf.where(begins_text[:-1] | (classes != _previous(classes, _EDGE)))[:, 0]
        next_starts = _next(self.starts, num_characters)
        self.lasts = next_starts - 1
        self.classes = tf.gather(classes, self.starts)
        edge = tf.zeros_like(self.classes)
        self.before = tf.where(tf.gather(begins_text, self.starts), edge, _previous(self.classes, _EDGE))
        self.after = tf.where(tf.gather(begins_text, next_starts), edge, _next(self.classes, _EDGE))
        is_single = (self.classes == _OTHER) & (self.starts == self.lasts)
        self.is_lone_sign = is_single & (self.after == _LETTER) & (self.before != _SPACE)


def _word_starts(runs: _Runs, pattern: ByteLevelPattern) -> tf.Tensor:
    """Where words begin, int64 (words,)."""
    if pattern in ("gpt2", "digits"):
        signs, ends = _contractions(runs, ignore_case=False)
        begins, holds_last = _gpt2_words(runs, signs, pattern == "digits")
    else:
        _, ends = _contractions(runs, ignore_case=True)
        begins, holds_last = _llama3_words(runs)
    starts = [tf.boolean_mask(runs.starts, begins), tf.boolean_mask(runs.lasts, holds_last), ends]
    if pattern in _LONGEST_NUMBERS:
        starts.append(_later_parts(runs, _NUMBER, _LONGEST_NUMBERS[pattern]))
    num_characters = tf.size(runs.codes, tf.int64)
    return tf.where(_marked(tf.concat(starts, axis=0), num_characters + 1)[:-1])[:, 0]


def _gpt2_words(runs: _Runs, signs: tf.Tensor, cut_digits: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Which runs begin a word with their first character, and which one with their last: bool (runs,) each.

    ``signs`` are the runs that are the apostrophe of a contraction.
    """
    is_white = runs.classes >= _SPACE
    begins = tf.where(is_white, runs.before < _SPACE, runs.before != _SPACE)
    begins = tf.tensor_scatter_nd_update(begins, signs[:, None] + 1, tf.zeros_like(signs, tf.bool))
    holds_last = is_white & (runs.after < _SPACE) & (runs.after != _EDGE)
    if cut_digits:
        is_number = runs.classes == _NUMBER
        return begins | is_number, holds_last & (runs.after != _NUMBER)
    return begins, holds_last


def _llama3_words(runs: _Runs) -> tuple[tf.Tensor, tf.Tensor]:
    """Which runs begin a word with their first character, and which one with their last: bool (runs,) each."""
    is_white, is_newline = runs.classes >= _SPACE, runs.classes == _NEWLINE
    is_gap = is_white & ~is_newline
    behind_gap = (runs.before == _SPACE) | (runs.before == _BLANK)
    joins_letters = behind_gap | _previous(runs.is_lone_sign, False)
    begins = tf.where(is_white, runs.before < _SPACE, runs.before != _SPACE)
    begins = tf.where(runs.classes == _LETTER, ~joins_letters, begins | (runs.classes == _NUMBER))
    joins_sign = is_newline & (runs.before == _OTHER)
    begins &= ~joins_sign
    behind_newline = is_gap & (runs.before == _NEWLINE)
    begins |= behind_newline & (_previous(joins_sign, False) | ~_newline_follows(runs, behind_newline))
    return begins, is_gap & (runs.after < _SPACE) & (runs.after != _EDGE)


def _newline_follows(runs: _Runs, asked: tf.Tensor) -> tf.Tensor:
    """Whether, of the runs that are ``asked``, a newline follows before the white space ends: bool (runs,)."""
    num_runs = tf.size(runs.starts, tf.int64)
    places = tf.where(asked)
    newlines = tf.where(runs.classes == _NEWLINE)[:, 0]
    ends = tf.where((runs.classes < _SPACE) | (runs.before == _EDGE))[:, 0]
    newline, end = (
        tf.gather(tf.concat([later, [num_runs]], axis=0), tf.searchsorted(later, places[:, 0], side="right"))
        for later in (newlines, ends)
    )
    return tf.scatter_nd(places, newline < end, [num_runs])


def _contractions(runs: _Runs, ignore_case: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """The runs that are the apostrophe of 's 't 'm 'd 're 've 'll, and where the contractions end: int64, each."""
    signs = tf.where(runs.is_lone_sign)[:, 0]
    places = tf.gather(runs.starts, signs)
    last = tf.gather(runs.lasts, signs + 1)  # of the letters behind
    code, first, second = (tf.gather(runs.codes, tf.minimum(places + offset, last)) for offset in range(3))
    second = tf.where(places + 2 <= last, second, 0)
    if ignore_case:
        first, second = _lowered(first), _lowered(second)
    is_short = functools.reduce(tf.logical_or, [first == ord(letter) for letter in "stmd"])
    is_long = functools.reduce(tf.logical_or, [(first == ord(a)) & (second == ord(b)) for a, b in ("re", "ve", "ll")])
    is_one = (code == ord("'")) & (is_short | is_long)
    ends = places + tf.where(is_short, tf.constant(2, tf.int64), 3)
    return tf.boolean_mask(signs, is_one), tf.boolean_mask(ends, is_one)


def _lowered(codes: tf.Tensor) -> tf.Tensor:
    codes = tf.where((codes >= ord("A")) & (codes <= ord("Z")), codes + 32, codes)
    return tf.where(codes == _LONG_S, ord("s"), codes)


def _later_parts(runs: _Runs, run_class: int, length: int) -> tf.Tensor:
    """Where runs of a class are cut into parts of a length, their beginnings left out: int64 (parts,)."""
    is_long = (runs.classes == run_class) & (runs.lasts - runs.starts >= length)
    starts, lasts = (tf.boolean_mask(places, is_long) for places in (runs.starts, runs.lasts))
    return tf.ragged.range(starts + length, lasts + 1, length).flat_values


def _marked(places: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Bool (size,), true at the places, which may stand twice."""
    return tf.scatter_nd(places[:, None], tf.ones_like(places, tf.int32), [size]) > 0


def _previous(values: tf.Tensor, first: int | bool) -> tf.Tensor:
    """At every place the value of the place before."""
    return tf.concat([tf.cast([first], values.dtype), values], axis=0)[:-1]


def _next(values: tf.Tensor, last: int | tf.Tensor) -> tf.Tensor:
    """At every place the value of the place behind."""
    return tf.concat([values, tf.cast([last], values.dtype)], axis=0)[1:]


@functools.cache
def _character_classes() -> np.ndarray:
    """The class of every code: uint8 (0x110000,)."""
    by_category = {"L": _LETTER, "N": _NUMBER}
    classes = [by_category.get(unicodedata.category(chr(code))[0], _OTHER) for code in range(0x110000)]
    table = np.array(classes, np.uint8)
    table[list(_BLANKS)] = _BLANK
    table[[ord("\r"), ord("\n")]] = _NEWLINE
    table[ord(" ")] = _SPACE
    return table
