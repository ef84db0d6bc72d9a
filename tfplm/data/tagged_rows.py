"""Windows of tagged texts with a class for every word, to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfplm.data.bad_examples import BadExamples
from tfplm.data.tagged_configuration import LongTexts
from tfplm.data.tagged_text import TaggedText
from tfplm.data.text_windows import TextWindows, text_windows
from tfplm.tokenizers.tokenizer import Tokenizer

_AT_ONCE = 1024  # texts
_BEHIND_ALL_BYTES = 2**40


@dataclass(frozen=True)
class TaggedRows:
    """Windows whose words have classes: 0 outside of spans, 2n + 1 at the first word of label n's, 2n + 2 behind it.

    Args:
        token_ids: int32 (windows, sequence).
        classes: int32 (windows, sequence).
        weights: float32 (windows, sequence), 1 at the first token of every word that counts and 0 at others.
        figures: see `tagged_rows`.
    """

    token_ids: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    figures: dict[str, int]


def tagged_rows(
    tokenizer: Tokenizer,
    texts: Sequence[TaggedText],
    labels: Sequence[str],
    sequence_length: int,
    stride: int | None,
    long_texts: LongTexts,
    bad: BadExamples,
) -> TaggedRows:
    """Encodes texts and finds the tokens of their spans.

    A span whose edges are no word's is given to the words that it touches. Every word counts in one window only, that
    which shows it farther from its edges. Labels that are none of ``labels`` are outside.

    The tokenizer cuts some words that the data writes as one: "@", "ann" of "@ann". What stands in such a word behind
    its first part and in no span does not count: that "ann" is nobody there says little of other places, and to learn
    it would cost names elsewhere (docs/tagging.md has the figures).

    Args:
        tokenizer: with offsets.
        texts: to learn from.
        labels: of the spans.
        sequence_length: columns of a row.
        stride: see `tfplm.data.text_windows.text_windows`.
        long_texts: what becomes of a text that is longer than a row.
        bad: takes the texts with a span that cuts a word, and where ``long_texts`` is "stop" those that are too long.
            Their rows are left out.

    Returns:
        The rows. ``figures`` counts ``texts``, ``windows``, ``long_texts`` of more than a row, ``spans_in_words``,
        which begin or end inside of a word, and ``spans_cut``, which are lost with the end of a text.
    """
    chunks = [
        _chunk(tokenizer, texts[first : first + _AT_ONCE], labels, sequence_length, stride)
        for first in range(0, len(texts), _AT_ONCE)
    ] or [_chunk(tokenizer, [], labels, sequence_length, stride)]
    windows = TextWindows(*(np.concatenate([getattr(c.windows, name) for c in chunks]) for name in TextWindows._fields))
    numbers = windows.texts + np.repeat(np.arange(len(chunks)) * _AT_ONCE, [len(c.windows.texts) for c in chunks])
    classes = np.concatenate([chunk.classes for chunk in chunks])
    in_words = np.concatenate([chunk.spans_in_words for chunk in chunks])  # (texts,)
    is_first = np.diff(numbers, prepend=-1) > 0
    is_long = np.bincount(numbers, minlength=len(texts)) > 1
    for number in np.flatnonzero(in_words):
        bad.add(texts[number].origin, "a span that cuts a word", f"{in_words[number]} spans begin or end in a word")
    if long_texts == "stop":
        for number in np.flatnonzero(is_long):
            bad.add(texts[number].origin, "a long text", f"more tokens than a row of {sequence_length} has room for")
    left_out = (in_words > 0) | (is_long & (long_texts == "stop"))
    kept = ~left_out[numbers] & (is_first | (long_texts != "cut"))
    weights = np.concatenate([chunk.weights for chunk in chunks])
    begins = (classes % 2 == 1) & (weights > 0)
    figures = {
        "texts": len(texts) - int(left_out.sum()),
        "windows": int(kept.sum()),
        "long_texts": int(is_long.sum()),
        "spans_in_words": int(in_words.sum()),
        "spans_cut": int(begins[~kept & ~left_out[numbers]].sum()),
    }
    return TaggedRows(windows.token_ids[kept], classes[kept], weights[kept], figures)


@dataclass(frozen=True)
class _Chunk:
    windows: TextWindows  # as arrays
    classes: np.ndarray  # int32 (windows, sequence)
    weights: np.ndarray  # float32 (windows, sequence)
    spans_in_words: np.ndarray  # int (texts,)


def _chunk(
    tokenizer: Tokenizer, texts: Sequence[TaggedText], labels: Sequence[str], sequence_length: int, stride: int | None
) -> _Chunk:
    strings = tf.constant([text.text.encode("utf-8", "replace") for text in texts], tf.string, [len(texts)])
    windows = TextWindows(*(part.numpy() for part in text_windows(tokenizer, strings, sequence_length, stride)))
    spans = _byte_spans(texts, labels)
    # Words in the order of the texts, (words,): where their first tokens stand, and their places in their texts.
    rows, columns = np.nonzero(windows.decides)
    base = windows.texts[rows].astype(np.int64) * _BEHIND_ALL_BYTES
    starts, ends = base + windows.starts[rows, columns], base + _word_ends(windows)
    first = np.searchsorted(ends, spans.starts, side="right")
    stop = np.maximum(np.searchsorted(starts, spans.ends, side="left"), first)
    found = stop > first
    exact = found.copy()
    exact[found] &= starts[first[found]] == spans.starts[found]
    exact[found] &= ends[stop[found] - 1] == spans.ends[found]
    of_words = np.zeros(len(starts), np.int32)
    for begin, end, label in zip(first[found], stop[found], spans.labels[found], strict=True):
        of_words[begin:end] = 2 * label + 2
        of_words[begin] = 2 * label + 1
    classes = np.zeros(windows.token_ids.shape, np.int32)
    classes[rows, columns] = of_words
    weights = np.zeros(windows.token_ids.shape, np.float32)
    weights[rows, columns] = (of_words > 0) | ~_go_on(texts, windows.texts[rows], starts)
    return _Chunk(windows, classes, weights, np.bincount(spans.texts[~exact], minlength=len(texts)))


def _go_on(texts: Sequence[TaggedText], numbers: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Which of the tokenizer's words only go on with one of the data's: bool (words,).

    Args:
        texts: whose own words are known, or not.
        numbers: int (words,), of the text of each.
        starts: int (words,), where each begins among the bytes of all texts.
    """
    own = [
        number * _BEHIND_ALL_BYTES + place
        for number, text in enumerate(texts)
        if text.words is not None
        for place in map(_byte_places(text.text), (start for start, _ in text.words))
    ]
    has_words = np.array([text.words is not None for text in texts], bool)
    return has_words[numbers] & ~np.isin(starts, np.array(own, np.int64))


def _word_ends(windows: TextWindows) -> np.ndarray:
    """The byte behind each word, int (words,), in the order of the texts."""
    answers = windows.answers > 0
    decides, ends = windows.decides[answers] > 0, windows.ends[answers]
    places = np.flatnonzero(decides)
    ends = np.where(ends > windows.starts[answers], ends, 0)
    return np.maximum.reduceat(ends, places) if len(places) else ends[:0]


@dataclass(frozen=True)
class _Spans:
    """Spans by byte, (spans,); starts and ends grow with the text's number."""

    texts: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray


def _byte_spans(texts: Sequence[TaggedText], labels: Sequence[str]) -> _Spans:
    numbers = {label: number for number, label in enumerate(labels)}
    found = []
    for number, text in enumerate(texts):
        places = _byte_places(text.text)
        found += [
            (number, places(span.start), places(span.end), numbers[span.label])
            for span in text.spans
            if span.label in numbers
        ]
    columns = np.array(found, np.int64).reshape(-1, 4).T
    base = columns[0] * _BEHIND_ALL_BYTES
    return _Spans(columns[0], base + columns[1], base + columns[2], columns[3])


def _byte_places(text: str):
    """What gives the byte offset of a character offset."""
    if text.isascii():
        return int
    lengths = np.cumsum([0, *(len(character.encode("utf-8", "replace")) for character in text)])
    return lambda offset: int(lengths[offset])
