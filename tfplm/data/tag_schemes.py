"""From the tags of words to spans: IOB1, IOB2, IOBES and its like, and plain tags."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"  # the tag of a word outside of spans; no label is called so

_PREFIXED = re.compile(r"([BIMELSUW])(?:[-_](.+))?")
_GOES_ON, _ENDS, _ALONE = "IM", "EL", "SUW"  # of iobes, bilou, bmes and bmewo
_UNNAMED = "span"  # the label of a tag that is a prefix only
_SHARE = 0.9  # of the tags with a prefix, from which on the rest are mistakes


class WordSpan(NamedTuple):
    """Words of one label.

    Args:
        first: the number of the first word.
        stop: the number behind the last one.
        label: what they are.
    """

    first: int
    stop: int
    label: str


def find_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """The scheme that the tags of a source are written in: iob1, iob2, iobes or plain.

    IOB1 is told by spans that begin with I-X while B-X stands behind another X only.
    """
    prefixes: Counter[str] = Counter()
    num_tags = starts_inside = begins_freely = 0
    for sentence in sentences:
        before = ""
        for tag in sentence:
            match = _PREFIXED.fullmatch(tag)
            prefix, label = (match[1], match[2] or _UNNAMED) if match else ("", "")
            num_tags += tag != OUTSIDE
            prefixes[prefix] += 1
            starts_inside += prefix == "I" and label != before
            begins_freely += prefix == "B" and label != before
            before = label
    del prefixes[""]
    if prefixes.total() < _SHARE * num_tags:
        return "plain"
    if prefixes.keys() - set("BI"):
        return "iobes"
    return "iob1" if starts_inside and not begins_freely else "iob2"


def unfit_tag(tags: Sequence[str], scheme: str) -> int | None:
    """The place of the first tag that the scheme does not have; None where all fit."""
    if scheme in ("plain", "io"):
        return None
    known = "BI" if scheme in ("iob1", "iob2") else "BIMELSUW"
    fits = re.compile(rf"{OUTSIDE}|[{known}]([-_](?!{OUTSIDE}$).+)?").fullmatch
    return next((place for place, tag in enumerate(tags) if not fits(tag)), None)


def spans_of_tags(tags: Sequence[str], scheme: str) -> tuple[list[WordSpan], int]:
    """The spans that tags say.

    A tag that goes on where nothing of its label has begun begins a span, as `conlleval` reads it; that and a span of
    iobes without its end are counted as mended. Words tagged O are outside of spans in every scheme.

    Args:
        tags: of the words of one sentence, which fit the scheme (`unfit_tag`).
        scheme: iob1, iob2, iobes, io or plain. In io neighbours of one tag are one span, in plain each is its own.

    Returns:
        The spans in order, and how many were mended.
    """
    if scheme == "plain":
        return [WordSpan(place, place + 1, tag) for place, tag in enumerate(tags) if tag != OUTSIDE], 0
    spans: list[WordSpan] = []
    is_open, mended = False, 0  # whether the last span may go on
    for place, tag in enumerate(tags):
        prefix, label = _parse(tag, scheme)
        goes_on = is_open and prefix in _GOES_ON + _ENDS and spans[-1].label == label
        if is_open and not goes_on:
            mended += scheme == "iobes"  # it had no end
        if prefix == OUTSIDE:
            is_open = False
            continue
        if goes_on:
            spans[-1] = spans[-1]._replace(stop=place + 1)
        else:
            mended += prefix in _GOES_ON + _ENDS and scheme in ("iob2", "iobes")
            spans.append(WordSpan(place, place + 1, label))
        is_open = prefix not in _ENDS + _ALONE
    return spans, mended + (is_open and scheme == "iobes")


def _parse(tag: str, scheme: str) -> tuple[str, str]:
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if scheme == "io":
        return "I", tag
    match = _PREFIXED.fullmatch(tag)
    return match[1], match[2] or _UNNAMED
