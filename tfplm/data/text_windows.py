"""Texts of any length as rows of token ids: a long one in windows that overlap."""

import functools
import re
import unicodedata
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfplm.data.splitting import CJK
from tfplm.tokenizers.offsets import Characters, TokenOffsets
from tfplm.tokenizers.tokenizer import Tokenizer

_TOLD_APART = 0x20000  # codes; those behind are Chinese characters and signs, between which words may end
# Scripts whose words may end anywhere, with or without spaces: Hangul's particles are written to the noun.
_FREE = f"{CJK}\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uff00-\uffef"


class TextWindows(NamedTuple):
    """Rows of ``prefix tokens suffix``; all windows of a text stand together, in order. Every text has one at least.

    Args:
        token_ids: int32 (windows, sequence).
        starts: int32 (windows, sequence), the first byte of each token in its text; −1 at special ids and padding.
        ends: int32 (windows, sequence), the byte behind it.
        answers: int32 (windows, sequence), 1 where this window speaks for the token: at every token of the text in one
            window, which shows it farther from its edges than others.
        decides: int32 (windows, sequence), 1 where it answers and the token is the first of a word.
        texts: int32 (windows,), the number of each one's text, ascending.
    """

    token_ids: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    answers: tf.Tensor
    decides: tf.Tensor
    texts: tf.Tensor


def text_windows(tokenizer: Tokenizer, texts: tf.Tensor, sequence_length: int, stride: int | None) -> TextWindows:
    """Encodes texts; works eagerly, in tf.data and inside a SavedModel.

    Args:
        tokenizer: with offsets.
        texts: strings (batch,).
        sequence_length: columns of a row, special ids included.
        stride: tokens from the beginning of one window to that of the next; None: three quarters of a window.

    Raises:
        ValueError: a row has no room for a token.
    """
    prefix, suffix = (np.array(ids, np.int32) for ids in (tokenizer.prefix_ids, tokenizer.suffix_ids))
    room = sequence_length - len(prefix) - len(suffix)
    if room < 1:
        raise ValueError(f"sequence_length: expected at least {sequence_length - room + 1}, got {sequence_length}")
    step = min(stride or max(1, room * 3 // 4), room)
    offsets = tokenizer.encode_with_offsets(texts)
    lengths = tf.cast(offsets.ids.row_lengths(), tf.int32)
    counts = 1 + (tf.maximum(lengths - room, 0) + step - 1) // step
    numbers = tf.repeat(tf.range(tf.size(counts)), counts)  # (windows,), of their texts
    window = tf.range(tf.size(numbers)) - tf.gather(tf.cumsum(counts, exclusive=True), numbers)
    first = window * step
    size = tf.minimum(tf.gather(lengths, numbers) - first, room)

    columns = tf.range(sequence_length)[tf.newaxis] - len(prefix)  # among the tokens of the window
    in_text = (columns >= 0) & (columns < size[:, tf.newaxis])
    text_starts = tf.gather(tf.cast(offsets.ids.row_starts(), tf.int32), numbers)
    places = tf.where(in_text, columns + (first + text_starts)[:, tf.newaxis], -1)  # among all tokens

    def of_tokens(values: tf.Tensor, fill: int) -> tf.Tensor:
        return tf.gather(tf.concat([[fill], values], axis=0), places + 1)

    # Where two windows overlap, each speaks for its half.
    margin = (room - step) // 2
    is_last = window + 1 == tf.gather(counts, numbers)
    speaks_from = tf.where(window > 0, margin, 0)[:, tf.newaxis]
    speaks_to = tf.where(is_last, size, step + margin)[:, tf.newaxis]
    answers = in_text & (columns >= speaks_from) & (columns < speaks_to)
    behind = columns - size[:, tf.newaxis]
    edges = _laid(prefix, columns + len(prefix)) + _laid(suffix, behind)
    token_ids = of_tokens(offsets.ids.flat_values, 0) + edges
    decides = of_tokens(tf.cast(begins_word(texts, offsets), tf.int32), 0)
    return TextWindows(
        token_ids=tf.where(behind < len(suffix), token_ids, tokenizer.pad_id),
        starts=of_tokens(offsets.starts.flat_values, -1),
        ends=of_tokens(offsets.ends.flat_values, -1),
        answers=tf.cast(answers, tf.int32),
        decides=decides * tf.cast(answers, tf.int32),
        texts=numbers,
    )


def join_windows(windows: TextWindows, values: tf.Tensor) -> tf.RaggedTensor:
    """What windows say of their tokens, (windows, sequence, …), as that of the tokens of the texts (texts, None, …)."""
    answers = windows.answers > 0
    per_window = tf.reduce_sum(windows.answers, axis=1)
    lengths = tf.math.segment_sum(per_window, windows.texts)
    return tf.RaggedTensor.from_row_lengths(tf.boolean_mask(values, answers), lengths, validate=False)


def begins_word(texts: tf.Tensor, offsets: TokenOffsets) -> tf.Tensor:
    """Whether each token is the first of a word: bool (tokens of all texts,).

    Words end at white space and at signs, and in scripts without spaces behind every token. A token of no text, and one
    that begins where the one before it does, as the bytes of a character, begins none.

    Args:
        texts: strings (batch,).
        offsets: of their tokens.
    """
    characters = Characters(texts)
    rows, starts = offsets.starts.value_rowids(), tf.cast(offsets.starts.flat_values, tf.int64)
    ends = tf.cast(offsets.ends.flat_values, tf.int64)
    places = characters.at_bytes(rows, starts) + tf.gather(characters.codes.row_starts(), rows)
    codes = tf.concat([characters.codes.flat_values, [0]], axis=0)
    letters = tf.gather(tf.constant(_is_letter()), tf.minimum(codes, _TOLD_APART))
    is_inside = tf.gather(letters, places) & tf.gather(letters, tf.maximum(places - 1, 0)) & (starts > 0)
    before = tf.concat([[-1], rows[:-1]], axis=0), tf.concat([[-1], starts[:-1]], axis=0)
    goes_on = (before[0] == rows) & (before[1] == starts)
    return (ends > starts) & ~is_inside & ~goes_on


def _laid(ids: np.ndarray, places: tf.Tensor) -> tf.Tensor:
    """Fixed ids at the places 0, 1, …; 0 at the others."""
    there = (places >= 0) & (places < len(ids))
    return tf.gather(tf.constant([*ids, 0], tf.int32), tf.where(there, places, len(ids)))


@functools.cache
def _is_letter() -> np.ndarray:
    """Bool (_TOLD_APART + 1,), the codes of characters that make words together with their neighbours."""
    is_free = re.compile(f"[{_FREE}]").match
    letters = np.zeros(_TOLD_APART + 1, bool)
    for code in range(_TOLD_APART):
        character = chr(code)
        is_part = character.isalnum() or unicodedata.category(character).startswith("M")
        letters[code] = is_part and not is_free(character)
    return letters
