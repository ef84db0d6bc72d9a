"""Changes of texts before they are cut into tokens, and the way back from what they gave to where it came from."""

import itertools
from abc import ABC, abstractmethod

import tensorflow as tf
import tensorflow_text as tf_text

from tfplm.tokenizers.character_map import CharacterMap
from tfplm.tokenizers.offsets import LONGEST_TEXT, Characters, Spans


class Rewriting(ABC):
    """A change of texts."""

    @abstractmethod
    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """The changed texts, of texts (batch,) in UTF-8."""

    @abstractmethod
    def trace(self, texts: tf.Tensor, spans: Spans) -> Spans:
        """Where parts of the changed texts come from.

        Args:
            texts: (batch,), as they were before the change.
            spans: in characters of the changed texts.

        Returns:
            The same in characters of the texts; of a character that became several, the whole counts. What comes from
            nothing is empty.
        """


class Transcoding(Rewriting):
    """Makes U+FFFD of bytes that are not UTF-8, which is a character for a character."""

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """The texts in UTF-8."""
        return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")

    def trace(self, texts: tf.Tensor, spans: Spans) -> Spans:
        """Where the parts of the texts come from."""
        return spans


class NormalForm(Rewriting):
    """One of Unicode's normal forms.

    Args:
        form: NFC, NFD, NFKC or NFKD.
    """

    def __init__(self, form: str):
        self._form = form

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """The normalized texts."""
        return tf_text.normalize_utf8(texts, self._form)

    def trace(self, texts: tf.Tensor, spans: Spans) -> Spans:
        """Where parts of the normalized texts come from."""
        normalized, edits = tf_text.normalize_utf8_with_offsets_map(texts, self._form)
        rows, starts, ends = Characters(normalized).byte_spans(spans)

        def sources(places: tf.Tensor) -> tf.Tensor:
            num_texts = tf.size(texts, tf.int64)
            places = tf.RaggedTensor.from_value_rowids(places, rows, nrows=num_texts, validate=False)
            places = tf.concat([tf.zeros([num_texts, 1], tf.int64), places], axis=1)  # the op wants some of every text
            return tf_text.find_source_offsets(edits, places)[:, 1:].flat_values

        # A place inside of a change has the end of the change for its source.
        found = sources(starts)
        is_inside = (sources(starts + 1) == found) & (ends > starts)
        found = tf.where(is_inside, found - 1, found)
        return Characters(texts).covering(Spans(rows, found, sources(ends)))


class CharacterRules(Rewriting):
    """Rules that go character by character.

    Args:
        rules: what becomes of each character.
    """

    def __init__(self, rules: CharacterMap):
        self._map = rules

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """The texts of which every character is replaced."""
        return self._map.map_strings(texts)

    def trace(self, texts: tf.Tensor, spans: Spans) -> Spans:
        """Where the parts of the texts come from."""
        codes = tf.strings.unicode_decode(texts, "UTF-8")
        mapped, first, end = self._map.with_sources(codes)
        bases, sources = (tf.gather(edges.row_starts(), spans.rows) for edges in (mapped, codes))
        is_empty = spans.ends == spans.starts
        starts = tf.gather(tf.concat([first, tf.size(codes.flat_values, tf.int64)[None]], axis=0), bases + spans.starts)
        ends = tf.gather(tf.concat([[0], end], axis=0), bases + spans.ends)
        limits = tf.gather(codes.row_limits(), spans.rows)
        starts, ends = tf.minimum(starts, limits), tf.minimum(ends, limits)
        return Spans(spans.rows, starts - sources, tf.where(is_empty, starts, ends) - sources)


class Replacement(Rewriting):
    """A literal string that is replaced wherever it stands.

    Args:
        pattern: what is replaced.
        content: what stands there then.
    """

    def __init__(self, pattern: str, content: str):
        self._pattern, self._content = pattern, content

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """The texts with what is put in place of the pattern."""
        pattern = "".join(rf"\x{{{ord(character):x}}}" for character in self._pattern)
        return tf.strings.regex_replace(texts, pattern, self._content.replace("\\", r"\\"))

    def trace(self, texts: tf.Tensor, spans: Spans) -> Spans:
        """Where parts of the texts come from."""
        rows, places = self._occurrences(texts)
        keys = tf.concat([_keys(rows, places), [tf.int64.max]], axis=0)
        numbers_before = tf.searchsorted(rows, spans.rows)  # occurrences in the texts before
        before, after = len(self._pattern), len(self._content)

        def sources(offsets: tf.Tensor, length: int, inside: int) -> tf.Tensor:
            wanted = _keys(spans.rows, offsets)
            number = tf.searchsorted(keys[:-1] + length, wanted, side="right")  # of those that end before
            follows = tf.gather(keys, number)
            shift = tf.cast(number - numbers_before, tf.int64) * (before - after)
            return tf.where(follows < wanted, follows % LONGEST_TEXT + inside, offsets) + shift

        return Spans(spans.rows, sources(spans.starts, after, 0), sources(spans.ends, max(after, 1), before))

    def _occurrences(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """In which text something was replaced, and at which character of the changed text: int64 (occurrences,)."""
        parts = tf.strings.split(texts, self._pattern)
        rows = parts.value_rowids()
        lengths = tf.cast(tf.strings.length(parts.flat_values, unit="UTF8_CHAR"), tf.int64) + len(self._content)
        ends = tf.cumsum(lengths)
        bases = tf.gather(tf.concat([tf.zeros([1], tf.int64), ends], axis=0), tf.gather(parts.row_starts(), rows))
        is_replaced = rows[1:] == rows[:-1]  # between two parts of a text
        return rows[:-1][is_replaced], (ends - bases - len(self._content))[:-1][is_replaced]


class Prefix(Rewriting):
    """A character that is put before texts which have any.

    Args:
        sign: the character.
        unless: those that a text may begin with and needs none before.
    """

    def __init__(self, sign: str, unless: tuple[str, ...] = ()):
        self._sign, self._unless = sign, unless

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """The texts with their prefix."""
        return tf.where(self._is_added(texts), tf.strings.join([self._sign, texts]), texts)

    def trace(self, texts: tf.Tensor, spans: Spans) -> Spans:
        """Where parts of the texts come from; the prefix itself comes from nothing."""
        added = tf.gather(tf.cast(self._is_added(texts), tf.int64), spans.rows)
        return Spans(spans.rows, *(tf.maximum(places - added, 0) for places in (spans.starts, spans.ends)))

    def _is_added(self, texts: tf.Tensor) -> tf.Tensor:
        first = tf.strings.substr(texts, 0, 1, unit="UTF8_CHAR")
        return tf.reduce_all([first != sign for sign in ("", *self._unless)], axis=0)


def _keys(rows: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Numbers in the order of rows and, in a row, of places."""
    return rows * LONGEST_TEXT + places


def rewrite(steps: list[Rewriting], texts: tf.Tensor) -> list[tf.Tensor]:
    """Texts (batch,) as they are at first, and after each of the steps."""
    return list(itertools.accumulate(steps, lambda rewritten, step: step(rewritten), initial=texts))


def trace(steps: list[Rewriting], stages: list[tf.Tensor], spans: Spans) -> Spans:
    """Where parts of the texts after all the steps come from: in characters, both.

    Args:
        steps: what changed the texts, the first step first.
        stages: what ``rewrite`` gave.
        spans: in characters of the changed texts.
    """
    for step, texts in zip(reversed(steps), reversed(stages[:-1]), strict=True):
        spans = step.trace(texts, spans)
    return spans
