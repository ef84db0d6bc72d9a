"""Texts with labelled spans."""

from dataclasses import dataclass
from typing import NamedTuple

from tfplm.data.example_list import ExampleList


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
        columns: further values by name.
    """

    text: str
    spans: tuple[Span, ...]
    words: tuple[tuple[int, int], ...] | None
    origin: str
    group: str
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> str:
        """The text."""
        return self.text

    @property
    def key(self) -> str:
        """Of equal texts it is equal, whatever their spans."""
        return self.text


TaggedExamples = ExampleList[TaggedText]
