"""Texts with labelled spans."""

from collections.abc import Iterable, Iterator
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
        columns: further values by name.
    """

    text: str
    spans: tuple[Span, ...]
    words: tuple[tuple[int, int], ...] | None
    origin: str
    group: str
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TaggedExamples:
    """Some texts with their spans.

    Args:
        items: each of them.
    """

    items: list[TaggedText]

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.items)

    def __iter__(self) -> Iterator[TaggedText]:
        """The texts with their spans."""
        return iter(self.items)

    @property
    def texts(self) -> list[str]:
        """The texts alone."""
        return [item.text for item in self.items]

    @property
    def origins(self) -> list[str]:
        """Where each stands."""
        return [item.origin for item in self.items]

    @property
    def columns(self) -> dict[str, list[str]]:
        """The further values of all texts, by name."""
        return {
            name: [dict(item.columns)[name] for item in self.items]
            for name, _ in (self.items[0].columns if self else ())
        }

    def select(self, rows: Iterable[int]) -> "TaggedExamples":
        """The texts of the given numbers."""
        return TaggedExamples([self.items[row] for row in rows])
