"""Spans as tags of words, as the field judges them."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from tfplm.answering.answer_names import COUNT, ENDS, LABELS, STARTS
from tfplm.data.tag_schemes import OUTSIDE
from tfplm.data.tagged_text import Span, TaggedExamples, TaggedText

Words = Sequence[tuple[int, int]]


def answered_spans(answers: Mapping[str, np.ndarray]) -> list[list[Span]]:
    """The spans of every text's answer."""
    columns = (answers[name].tolist() for name in (COUNT, STARTS, ENDS, LABELS))
    return [
        [
            Span(start, end, label.decode())
            for start, end, label in zip(starts[:count], ends[:count], labels[:count], strict=True)
        ]
        for count, starts, ends, labels in zip(*columns, strict=True)
    ]


def are_plain(examples: TaggedExamples) -> bool:
    """Whether every word is a span of its own, as of parts of speech.

    With a word outside of spans (tagged O) they are judged as entities, even where each is one word: such plain tags
    look like IOB2 then, and tag by tag the words outside, which are most of a text with few names, would count too.
    """
    return all(text.words is not None and text.words == tuple(span[:2] for span in text.spans) for text in examples)


def words_of(text: TaggedText, found: Sequence[Span]) -> Words:
    """The words of a text; where the data has none, the pieces between the edges of all spans, right and given.

    A given span is right among these pieces where its edges and its label are.
    """
    if text.words is not None:
        return text.words
    edges = {edge for span in (*text.spans, *found) for edge in span[:2]} | {0, len(text.text)}
    return list(pairwise(sorted(edges)))


def tags_of_words(words: Words, spans: Sequence[Span], is_plain: bool) -> list[str]:
    """A tag for every word: that of the span over its first character.

    Args:
        words: where each begins and ends.
        spans: in order, none over another.
        is_plain: whether tags are labels alone, and not in the scheme IOB2.
    """
    starts = [span.start for span in spans]
    tags, before = [], None
    for start, _ in words:
        place = bisect_right(starts, start) - 1
        if place < 0 or spans[place].end <= start:
            tags.append(OUTSIDE)
            before = None
            continue
        prefix = "" if is_plain else "I-" if place == before else "B-"
        tags.append(prefix + spans[place].label)
        before = place
    return tags


def word_tags(
    answers: Mapping[str, np.ndarray], examples: TaggedExamples
) -> tuple[list[Words], list[list[str]], list[list[str]]]:
    """The words of every text, and their right and given tags."""
    given, is_plain = answered_spans(answers), are_plain(examples)
    words = [words_of(text, found) for text, found in zip(examples, given, strict=True)]
    right = [tags_of_words(part, text.spans, is_plain) for part, text in zip(words, examples, strict=True)]
    found = [tags_of_words(part, spans, is_plain) for part, spans in zip(words, given, strict=True)]
    return words, right, found


def exact_span_f1(answered: Sequence[Sequence[Span]], examples: TaggedExamples) -> float:
    """The F1 of spans whose characters and label are right, from 0 to 1; where words are cut in other places too."""
    hits = given = present = 0
    for text, found in zip(examples, answered, strict=True):
        hits += len(set(text.spans) & set(found))
        given += len(found)
        present += len(text.spans)
    return 2 * hits / (given + present) if given + present else 0.0
