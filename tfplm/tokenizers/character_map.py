"""A mapping of single characters to strings, as a graph op: one look-up in a table a character."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

_SEPARATOR = "\ufdd0"  # a noncharacter, which no normalizer knows
_NUM_CODES = 0x110000
_PAGE = 256
_NOTHING, _ITSELF = -1, -2


class CharacterMap:
    """Replaces every character by the string that ``mapping`` makes of it, whatever stands around it.

    The whole mapping is a table in the graph (under 1 MB, as equal pages are kept once), so that a saved model maps as
    it did on the day that it was written. TensorFlow's own ops for lower case, normal forms and categories follow
    another version of Unicode than the `tokenizers` package, and some rules of the context that it has not.

    Args:
        mapping: maps a text character by character; called once with every character of Unicode. The empty planes 4 to
            13 map to themselves.
    """

    def __init__(self, mapping: Callable[[str], str]):
        table = _table(mapping)
        pages: dict[bytes, int] = {}
        parts = (part.tobytes() for part in np.split(table, _NUM_CODES // _PAGE))
        self._page_of = np.array([pages.setdefault(part, len(pages)) for part in parts], np.int32)
        unique = np.frombuffer(b"".join(pages), np.int32)
        self._pages = unique.reshape(-1, table.shape[1])  # (different pages * 256, longest string)

    def __call__(self, codes: tf.RaggedTensor) -> tf.RaggedTensor:
        """Maps code points.

        Args:
            codes: int32 (batch, None).

        Returns:
            int32 (batch, None).
        """
        values = codes.flat_values
        entries = tf.gather(self._pages, tf.gather(self._page_of, values // _PAGE) * _PAGE + values % _PAGE)
        mapped = tf.where(entries == _ITSELF, values[:, tf.newaxis], entries)  # (characters, longest string)
        is_there = mapped != _NOTHING
        ends = tf.cumsum(tf.math.count_nonzero(is_there, axis=1))
        splits = tf.gather(tf.concat([tf.zeros([1], tf.int64), ends], axis=0), codes.row_splits)
        return tf.RaggedTensor.from_row_splits(tf.boolean_mask(mapped, is_there), splits, validate=False)

    def map_strings(self, texts: tf.Tensor) -> tf.Tensor:
        """Maps UTF-8 strings (batch,); bytes that are not UTF-8 count as U+FFFD."""
        return tf.strings.unicode_encode(self(tf.strings.unicode_decode(texts, "UTF-8")), "UTF-8")


def _table(mapping: Callable[[str], str]) -> np.ndarray:
    """int32 (code points, longest string): what each becomes, filled up with ``_NOTHING``."""
    codes = [*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, _NUM_CODES)]
    codes.remove(ord(_SEPARATOR))
    strings = mapping(_SEPARATOR.join(map(chr, codes))).split(_SEPARATOR)
    if len(strings) != len(codes):
        raise ValueError("the mapping changes U+FDD0, expected that it leaves noncharacters alone")
    table = np.full((_NUM_CODES, max(map(len, strings))), _NOTHING, np.int32)
    table[:, 0] = _ITSELF
    for code, string in zip(codes, strings, strict=True):
        if string != chr(code):
            mapped = [_ITSELF if ord(character) == code else ord(character) for character in string]
            table[code, 0] = _NOTHING
            table[code, : len(mapped)] = mapped
    return table
