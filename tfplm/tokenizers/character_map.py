"""A mapping of single characters to strings, as a graph op: one look-up in a table a character."""

import unicodedata
from collections.abc import Callable

import numpy as np
import tensorflow as tf

_SEPARATOR = "\ufdd0"  # a noncharacter, which no normalizer knows
_NUM_CODES = 0x110000
_NO_CHARACTERS = {*range(0xD800, 0xE000), ord(_SEPARATOR)}  # surrogates, and what stands between others
_PAGE = 256
_AT_ONCE = 0x2000  # characters that are mapped
_NOTHING, _ITSELF, _DROPPED_MARK = -1, -2, -3


class CharacterMap:
    """Replaces every character by the string that ``mapping`` makes of it, whatever stands around it.

    The whole mapping is a table in the graph (under 1 MB, as equal pages are kept once), so that a saved model maps as
    it did on the day that it was written. TensorFlow's own ops for lower case, normal forms and categories follow
    another version of Unicode than the `tokenizers` package, and some rules of the context that it has not.

    Args:
        mapping: maps a text character by character; called with every character of Unicode, thousands at once. The
            empty planes 4 to 13 map to themselves.
    """

    def __init__(self, mapping: Callable[[str], str]):
        changed = _changed(mapping)
        longest = max([1, *map(len, changed.values())])
        unchanged = np.full((_PAGE, longest), _NOTHING, np.int32)
        unchanged[:, 0] = _ITSELF
        tables = {None: unchanged}  # by page; None: all those without a change
        for code, string in changed.items():
            row = tables.setdefault(code // _PAGE, unchanged.copy())[code % _PAGE]
            mapped = [_ITSELF if ord(character) == code else ord(character) for character in string]
            nothing = _DROPPED_MARK if unicodedata.category(chr(code))[0] == "M" else _NOTHING
            row[: max(1, len(mapped))] = mapped or nothing
        pages: dict[bytes, int] = {}
        place = {page: pages.setdefault(table.tobytes(), len(pages)) for page, table in tables.items()}
        numbers = [place.get(page, place[None]) for page in range(_NUM_CODES // _PAGE)]
        entries = np.frombuffer(b"".join(pages), np.int32).reshape(-1, longest)
        with tf.init_scope(), tf.device("CPU:0"):  # a graph that maps twice has one table
            self._page_of = tf.constant(np.array(numbers, np.int32))
            self._pages = tf.constant(entries)  # (different pages * 256, longest)

    def __call__(self, codes: tf.RaggedTensor) -> tf.RaggedTensor:
        """Maps code points.

        Args:
            codes: int32 (batch, None).

        Returns:
            int32 (batch, None).
        """
        mapped = self._mapped(codes.flat_values)
        return _joined(mapped, mapped >= 0, codes)

    def with_sources(self, codes: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.Tensor, tf.Tensor]:
        """Maps code points and says which ones each comes from.

        An accent or another mark that the mapping drops belongs to the character before it.

        Args:
            codes: int32 (batch, None).

        Returns:
            int32 (batch, None), and the first code point and the one behind the last that each of these comes from:
            int64 (mapped code points,), counted through the whole batch.
        """
        mapped = self._mapped(codes.flat_values)
        is_there = mapped >= 0
        first = tf.where(is_there)[:, 0]
        is_kept = mapped[:, 0] != _DROPPED_MARK
        kept = tf.concat([tf.where(is_kept)[:, 0], tf.size(is_kept, tf.int64)[tf.newaxis]], axis=0)
        end = tf.gather(kept, tf.gather(tf.cumsum(tf.cast(is_kept, tf.int32)), first))
        return _joined(mapped, is_there, codes), first, end

    def _mapped(self, values: tf.Tensor) -> tf.Tensor:
        """What becomes of every character, filled up with negative numbers: int32 (characters, longest string)."""
        entries = tf.gather(self._pages, tf.gather(self._page_of, values // _PAGE) * _PAGE + values % _PAGE)
        return tf.where(entries == _ITSELF, values[:, tf.newaxis], entries)

    def map_strings(self, texts: tf.Tensor) -> tf.Tensor:
        """Maps UTF-8 strings (batch,); bytes that are not UTF-8 count as U+FFFD."""
        return tf.strings.unicode_encode(self(tf.strings.unicode_decode(texts, "UTF-8")), "UTF-8")


def _joined(mapped: tf.Tensor, is_there: tf.Tensor, codes: tf.RaggedTensor) -> tf.RaggedTensor:
    """What is there of ``mapped`` (characters, longest string), in the rows of ``codes``."""
    ends = tf.cumsum(tf.math.count_nonzero(is_there, axis=1))
    splits = tf.gather(tf.concat([tf.zeros([1], tf.int64), ends], axis=0), codes.row_splits)
    return tf.RaggedTensor.from_row_splits(tf.boolean_mask(mapped, is_there), splits, validate=False)


def _changed(mapping: Callable[[str], str]) -> dict[int, str]:
    """What becomes of the characters that the mapping changes."""
    changed = {}
    for first in (*range(0, 0x40000, _AT_ONCE), *range(0xE0000, _NUM_CODES, _AT_ONCE)):
        codes = [code for code in range(first, first + _AT_ONCE) if code not in _NO_CHARACTERS]
        strings = mapping(_SEPARATOR.join(map(chr, codes))).split(_SEPARATOR)
        if len(strings) != max(1, len(codes)):
            raise ValueError("the mapping changes U+FDD0, expected that it leaves noncharacters alone")
        changed |= {code: string for code, string in zip(codes, strings, strict=False) if string != chr(code)}
    return changed
