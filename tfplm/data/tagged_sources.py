"""Texts with spans from every kind of tagged source."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from tfplm.data.bad_examples import BadExamples
from tfplm.data.file_paths import expand_package_paths, expand_paths
from tfplm.data.sources import text_digest
from tfplm.data.splitting import CJK
from tfplm.data.tag_schemes import find_scheme, spans_of_tags, unfit_tag
from tfplm.data.tagged_configuration import SpansSource, TaggedColumnsSource, TaggedLinesSource, TaggedSource
from tfplm.data.tagged_spans import read_span_file
from tfplm.data.tagged_text import Span, TaggedText
from tfplm.data.tagged_words import TaggedSentence, read_columns_file, read_lines_file
from tfplm.errors import UserError

# Scripts written without spaces, their punctuation and full-width signs; Thai, Lao, Burmese and Khmer.
_WITHOUT_SPACES = re.compile(f"[{CJK}\u3000-\u303f\uff00-\uffef\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_SHARE_OF_CHARACTERS = 0.99  # of words that are one character, from which on the data has a character a line


def read_tagged(source: TaggedSource, bad: BadExamples, mended: Counter[str]) -> list[TaggedText]:
    """Reads the texts of a source.

    Args:
        source: where they are, and how they are tagged.
        bad: takes what cannot be used.
        mended: counts, by reason, what was taken otherwise than it stands; added to.

    Returns:
        The texts in the order of the source.

    Raises:
        UserError: the source cannot be read, or has nothing at all.
    """
    if isinstance(source, SpansSource):
        texts = [text for path in expand_paths(source.paths) for text in read_span_file(path, source, bad, mended)]
    else:
        texts = list(_texts_of_sentences(_read_sentences(source, bad), source, bad, mended))
    if not texts and not bad.counts:
        raise UserError(f"There is no text in {describe_tagged_source(source)}.", "Expected at least one sentence.")
    return texts


def tagged_source_paths(source: TaggedSource) -> list[Path]:
    """The files of a source, in the order in which they are read."""
    package = getattr(source, "package", None)
    if package is None:
        return expand_paths(source.paths)
    return [path for path, _ in expand_package_paths(package, source.paths)]


def describe_tagged_source(source: TaggedSource) -> str:
    """The source in a few words, for messages."""
    package = getattr(source, "package", None)
    return (f"the package '{package}': " if package else "") + ", ".join(source.paths)


def join_words(words: Sequence[str], joiner: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text that words make, and where each begins and ends.

    Args:
        words: none of them empty.
        joiner: what stands between two words; "auto": nothing where one of them ends, or begins, in a script that is
            written without spaces, else a space.

    Example:
        >>> join_words(["江", "泽民", "met", "us"], "auto")
        ('江泽民met us', ((0, 1), (1, 3), (3, 6), (7, 9)))
    """
    parts, places, end = [words[0]], [(0, len(words[0]))], len(words[0])
    for left, right in pairwise(words):
        between = joiner
        if joiner == "auto":
            between = "" if _WITHOUT_SPACES.match(left[-1]) or _WITHOUT_SPACES.match(right[0]) else " "
        start, end = end + len(between), end + len(between) + len(right)
        parts += [between, right]
        places.append((start, end))
    return "".join(parts), tuple(places)


def _read_sentences(source: TaggedColumnsSource | TaggedLinesSource, bad: BadExamples) -> list[TaggedSentence]:
    paths = tagged_source_paths(source)
    if isinstance(source, TaggedColumnsSource):
        return [sentence for path in paths for sentence in read_columns_file(path, source, bad)]
    return [sentence for path in paths for sentence in read_lines_file(path, source, bad)]


def _texts_of_sentences(
    sentences: list[TaggedSentence],
    source: TaggedColumnsSource | TaggedLinesSource,
    bad: BadExamples,
    mended: Counter[str],
) -> Iterator[TaggedText]:
    scheme, joiner = source.scheme, source.joiner
    if scheme == "auto":
        scheme = find_scheme(sentence.tags for sentence in sentences)
    if joiner == "auto" and _has_a_character_a_line(sentences):
        joiner = ""
    by_document = isinstance(source, TaggedColumnsSource) and source.group == "document"
    for sentence in sentences:
        place = unfit_tag(sentence.tags, scheme)
        if place is not None:
            origin = f"{_file(sentence)}, line {sentence.lines[place]}"
            bad.add(origin, "a tag that does not fit", f"'{sentence.tags[place]}' is no tag of the scheme {scheme}")
            continue
        spans, num_mended = spans_of_tags(sentence.tags, scheme)
        mended["span_edges"] += num_mended
        text, words = join_words(sentence.words, joiner)
        group = f"{_file(sentence)}, document {sentence.document}" if by_document else text_digest(text)
        of_text = (Span(words[span.first][0], words[span.stop - 1][1], span.label) for span in spans)
        yield TaggedText(text, tuple(of_text), words, sentence.origin, group)


def _file(sentence: TaggedSentence) -> str:
    return sentence.origin.rpartition(", line ")[0]


def _has_a_character_a_line(sentences: list[TaggedSentence]) -> bool:
    words = [word for sentence in sentences for word in sentence.words]
    single = sum(len(word) == 1 for word in words)
    return single >= _SHARE_OF_CHARACTERS * len(words) and any(_WITHOUT_SPACES.match(word) for word in words)
