"""Rows that hold a question and a part of its passage: long passages by windows that overlap."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfplm.tokenizers.offsets import TokenOffsets
from tfplm.tokenizers.tokenizer import Tokenizer

_LENGTH_WEIGHT = 100  # a token of context counts as a hundred of a window's length


class WindowSettings(NamedTuple):
    """How passages are cut into windows; all in tokens.

    Args:
        sequence_length: columns of a row, special ids included.
        stride: from the beginning of one window to that of the next; where a row has no room for so many, as many.
        max_question_length: longer questions are cut.
    """

    sequence_length: int
    stride: int
    max_question_length: int


class QuestionWindows(NamedTuple):
    """Rows of ``prefix question separator passage suffix``; all windows of an example stand together, in order.

    Every example has one at least. Tensors are (windows, sequence) unless noted.
    """

    token_ids: tf.Tensor  # int32
    segment_ids: tf.Tensor  # int32: 1 from behind the separator to the suffix, 0 at padding and before
    # int32: 1 at the tokens of the passage that stand for text; 0 everywhere where the question is empty
    context_mask: tf.Tensor
    starts: tf.Tensor  # int32: the first byte of each of these tokens in the passage; 0 at others
    ends: tf.Tensor  # int32: the byte behind it
    # int32: 1 where no other window of the example shows the token with more context on its poorer side. Of windows
    # that show as much, the longer counts, then the first.
    max_context: tf.Tensor
    examples: tf.Tensor  # int32 (windows,): the number of each one's example, ascending


class _Spans(NamedTuple):
    """Which tokens of its passage each window has: int32 (windows,)."""

    examples: tf.Tensor
    first: tf.Tensor  # of the window, among the tokens of its passage
    length: tf.Tensor


def question_windows(
    tokenizer: Tokenizer, questions: tf.Tensor, passages: tf.Tensor, settings: WindowSettings
) -> QuestionWindows:
    """Encodes questions with their passages; works eagerly, in tf.data and inside a SavedModel.

    A passage that fits into one row is one window. No token is left out, whatever the stride.

    Source: Devlin et al. 2019, "BERT", section 4.2 and the code of its authors (``run_squad.py``), from which the
    windows and the idea of the window of maximum context are.

    Args:
        tokenizer: with offsets.
        questions: strings (examples,).
        passages: strings (examples,).
        settings: of the windows.

    Raises:
        ValueError: a row has no room for a token of the passage beside the longest question.
    """
    asked = tokenizer.encode_ragged(questions)[:, : settings.max_question_length]
    return windows_of_tokens(tokenizer, asked, tokenizer.encode_with_offsets(passages), settings)


def room_for_passage(tokenizer: Tokenizer, settings: WindowSettings) -> int:
    """Tokens of the passage that stand in a row beside the longest question. Raises ValueError where it is none."""
    special = len(tokenizer.prefix_ids) + len(tokenizer.pair_separator_ids) + len(tokenizer.suffix_ids)
    room = settings.sequence_length - special - settings.max_question_length
    if room < 1:
        raise ValueError(
            f"sequence_length: expected at least {special + settings.max_question_length + 1} ({special} special ids, "
            f"{settings.max_question_length} of the question, one of the passage), got {settings.sequence_length}"
        )
    return room


def windows_of_tokens(
    tokenizer: Tokenizer, questions: tf.RaggedTensor, passages: TokenOffsets, settings: WindowSettings
) -> QuestionWindows:
    """As `question_windows`, of ids int32 (examples, None)."""
    room_for_passage(tokenizer, settings)
    prefix, separator, suffix = (
        np.array(ids, np.int32) for ids in (tokenizer.prefix_ids, tokenizer.pair_separator_ids, tokenizer.suffix_ids)
    )
    asked = tf.cast(questions.row_lengths(), tf.int32)  # (examples,)
    room = settings.sequence_length - len(prefix) - len(separator) - len(suffix) - asked
    spans = _cut(tf.cast(passages.ids.row_lengths(), tf.int32), room, settings.stride)
    columns = tf.range(settings.sequence_length)[tf.newaxis]
    # Where each part of the row begins, int32 (windows, 1).
    separator_at = (len(prefix) + tf.gather(asked, spans.examples))[:, tf.newaxis]
    passage_at = separator_at + len(separator)
    suffix_at = passage_at + spans.length[:, tf.newaxis]
    in_passage = (columns >= passage_at) & (columns < suffix_at)

    def of_passage(values: tf.RaggedTensor) -> tf.Tensor:
        places = columns - passage_at + spans.first[:, tf.newaxis] + _row_starts(values, spans.examples)
        return _take(values.flat_values, places, in_passage)

    in_question = (columns >= len(prefix)) & (columns < separator_at)
    token_ids = _take(
        questions.flat_values, columns - len(prefix) + _row_starts(questions, spans.examples), in_question
    )
    token_ids += of_passage(passages.ids) + _constant(prefix, columns) + _constant(separator, columns - separator_at)
    token_ids += _constant(suffix, columns - suffix_at)
    filled = columns < suffix_at + len(suffix)
    is_asked = (tf.gather(asked, spans.examples) > 0)[:, tf.newaxis]
    starts, ends = of_passage(passages.starts), of_passage(passages.ends)
    return QuestionWindows(
        token_ids=tf.where(filled, token_ids, tokenizer.pad_id),
        segment_ids=tf.cast((columns >= passage_at) & filled, tf.int32),
        context_mask=tf.cast((ends > starts) & is_asked, tf.int32),
        starts=starts,
        ends=ends,
        max_context=_max_context(columns - passage_at, in_passage, spans, passages.ids),
        examples=spans.examples,
    )


def _cut(lengths: tf.Tensor, room: tf.Tensor, stride: int) -> _Spans:
    """Windows of passages of so many tokens, into rows that have room for so many: int32 (examples,)."""
    step = tf.minimum(stride, room)
    behind_first = tf.maximum(lengths - room, 0)
    counts = 1 + (behind_first + step - 1) // step
    examples = tf.repeat(tf.range(tf.size(counts)), counts)
    number = tf.range(tf.size(examples)) - tf.gather(tf.cumsum(counts, exclusive=True), examples)
    first = number * tf.gather(step, examples)
    return _Spans(examples, first, tf.minimum(tf.gather(lengths, examples) - first, tf.gather(room, examples)))


def _max_context(places: tf.Tensor, in_passage: tf.Tensor, spans: _Spans, passages: tf.RaggedTensor) -> tf.Tensor:
    """See `QuestionWindows`.

    Args:
        places: of each column's token in its window, int32 (windows, sequence).
        in_passage: bool, of the same shape.
        spans: the windows.
        passages: ragged (examples, None), whose flat values are the tokens of all passages.
    """
    length = spans.length[:, tf.newaxis]
    context = tf.minimum(places, length - 1 - places) * _LENGTH_WEIGHT + length
    # The first of equal windows is ahead: scores differ by one at least, and these parts of one are smaller.
    window = tf.range(tf.size(spans.examples))[:, tf.newaxis]
    scores = tf.cast(context, tf.int64) * tf.cast(tf.size(spans.examples), tf.int64) - tf.cast(window, tf.int64)
    tokens = places + spans.first[:, tf.newaxis] + _row_starts(passages, spans.examples)
    num_tokens = tf.size(passages.flat_values)
    # One segment more for the columns that are none of the passage.
    tokens = tf.where(in_passage, tokens, num_tokens)
    best = tf.math.unsorted_segment_max(scores, tokens, num_tokens + 1)
    return tf.cast(in_passage & (tf.gather(best, tokens) == scores), tf.int32)


def _row_starts(values: tf.RaggedTensor, examples: tf.Tensor) -> tf.Tensor:
    """Where the rows of examples begin among the flat values: int32 (windows, 1)."""
    return tf.gather(tf.cast(values.row_starts(), tf.int32), examples)[:, tf.newaxis]


def _take(values: tf.Tensor, places: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    """The values at the places, 0 where ``there`` is False."""
    padded = tf.concat([values, [0]], axis=0)
    return tf.gather(padded, tf.where(there, places, tf.size(values)))


def _constant(ids: np.ndarray, places: tf.Tensor) -> tf.Tensor:
    """A fixed piece at the places 0, 1, …; 0 at the others."""
    return _take(tf.constant(ids), places, (places >= 0) & (places < len(ids)))
