"""A text with labelled spans."""

from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """Characters of a text that have a label.

    Args:
        start: the offset of the first one.
        end: the offset behind the last one.
        label: what they are.
    """

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class TaggedText:
    """A text with its spans.

    Args:
        text: as it stands in the data.
        spans: in order, none empty and none over another.
        words: the offsets of the words that the data is written in, and of their ends; None where it has none.
        origin: the file and the line.
        group: what must not part in a split.
    """

    text: str
    spans: tuple[Span, ...]
    words: tuple[tuple[int, int], ...] | None
    origin: str
    group: str
