"""Pairs from plain text alone: sentences without capitals and punctuation, and as they were written."""

import re
from collections.abc import Iterator

from tfplm.data.configuration import CleaningConfig, Source
from tfplm.data.pair import Pair
from tfplm.data.sources import read_documents
from tfplm.data.splitting import CJK, WIDE_MARKS, sentences_by_paragraph

_MARKS = re.compile(rf"[.,;:!?\"'“”„‘’‚«»‹›()\[\]{{}}\-–―¿¡؟،؛।॥{WIDE_MARKS}]+")
_LETTER = rf"[^\W_{CJK}]"
_INSIDE_WORD = re.compile(rf"(?<={_LETTER})['’.,:\-](?={_LETTER})")  # don't, 3.30, U.S. but for its last dot
_WORD_EDGE = re.compile(_LETTER)


def read_restoration(source: Source, cleaning: CleaningConfig) -> Iterator[Pair]:
    """Reads the sentences of a source.

    Yields:
        Every sentence, bared and as it stands. The group is the document's.

    Raises:
        UserError: the source cannot be read.
    """
    for document in read_documents(source, cleaning):
        for sentences in sentences_by_paragraph(document.text):
            for sentence in sentences:
                yield Pair(bare_sentence(sentence), sentence, document.origin, document.group)


def bare_sentence(sentence: str) -> str:
    """Lower-cases a sentence and takes its punctuation away, but for marks inside a word or number.

    Example:
        >>> bare_sentence("“It isn't 3.30,” she said – really?")
        "it isn't 3.30 she said really"
        >>> bare_sentence("他说：“好。”")
        '他说好'
    """
    kept = {match.start() for match in _INSIDE_WORD.finditer(sentence)}

    def bared(match: re.Match) -> str:
        start, end = match.span()
        if end - start == 1 and start in kept:
            return match[0]
        between_words = _WORD_EDGE.match(sentence[start - 1 : start]) and _WORD_EDGE.match(sentence[end : end + 1])
        return " " if between_words else ""

    return " ".join(_MARKS.sub(bared, sentence).lower().split())
