"""A split of examples, as evaluation takes it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Example = TypeVar("Example")


@dataclass(frozen=True)
class ExampleList(Generic[Example]):
    """Examples that have ``asked``, a text, and ``columns``, pairs of a name and a value.

    Args:
        examples: in their order.
    """

    examples: Sequence[Example]

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        """The examples in their order."""
        return iter(self.examples)

    @property
    def texts(self) -> list[str]:
        """What is asked, by whose length examples are grouped."""
        return [example.asked for example in self.examples]

    @property
    def columns(self) -> dict[str, list[str]]:
        """Further values by name, one an example."""
        names = [name for name, _ in self.examples[0].columns] if self.examples else []
        return {name: [dict(example.columns)[name] for example in self.examples] for name in names}

    def select(self, rows: Iterable[int]) -> "ExampleList[Example]":
        """The examples of the given numbers."""
        return ExampleList([self.examples[row] for row in rows])
