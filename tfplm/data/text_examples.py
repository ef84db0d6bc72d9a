"""Texts, or pairs of them, as arrays and lists beside each other: what classification and regression learn from."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from tfplm.data.example_list import columns_of
from tfplm.data.examples import Example


@dataclass(kw_only=True)
class TextExamples:
    """Texts; subclasses have arrays and lists of as many targets.

    Args:
        texts: n texts.
        origins: where each text stands.
        text_pairs: n second texts, where the examples are pairs.
        columns: n further values of each column that the source keeps, by name.
    """

    texts: list[str]
    origins: list[str]
    text_pairs: list[str] | None = None
    columns: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, examples: Sequence[Example], **targets: Any) -> Self:
        """The texts of examples, and what is said of them."""
        has_pairs = any(example.text_pair is not None for example in examples)
        return cls(
            texts=[example.text for example in examples],
            origins=[example.origin for example in examples],
            text_pairs=[example.text_pair for example in examples] if has_pairs else None,
            columns=columns_of(examples),
            **targets,
        )

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.texts)

    def select(self, rows: np.ndarray) -> Self:
        """The examples of the given numbers."""
        return type(self)(**{part.name: _select(getattr(self, part.name), rows) for part in fields(self)})


def _select(values: Any, rows: np.ndarray) -> Any:
    if values is None:
        return None
    if isinstance(values, np.ndarray):
        return values[rows]
    if isinstance(values, dict):
        return {name: _select(part, rows) for name, part in values.items()}
    return [values[row] for row in rows]
