"""A split of examples, as evaluation takes it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

Example = TypeVar("Example")


@dataclass(frozen=True)
class ExampleList(Generic[Example]):
    """Examples that have ``asked``, a text, ``origin``, where it stands, and ``columns``, pairs of a name and a value.

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
    def origins(self) -> list[str]:
        """Where each stands."""
        return [example.origin for example in self.examples]

    @property
    def columns(self) -> dict[str, list[str]]:
        """Further values by name, one an example."""
        return columns_of(self.examples)

    def select(self, rows: Iterable[int]) -> Self:
        """The examples of the given numbers."""
        return replace(self, examples=[self.examples[row] for row in rows])


def columns_of(examples: Sequence[Any]) -> dict[str, list[str]]:
    """The further values of examples, which all have the same ``columns``, by name."""
    names = [name for name, _ in examples[0].columns] if examples else []
    return {name: [dict(example.columns)[name] for example in examples] for name in names}
