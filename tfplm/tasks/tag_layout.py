"""What the classes of a tagger mean: which label each is of, and whether it begins a span."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

OUTSIDE = "O"

_PREFIXED = re.compile(r"([BIMELSUW])[-_](.+)")
_BEGINS = "BSUW"  # the rest goes on: iobes, bilou and bmes are read alike
_NEVER = -1e9


def tag_names(labels: Sequence[str]) -> list[str]:
    """The classes of a tagger that finds spans of these labels: O, then B- and I- of each."""
    return [OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI")]


@dataclass(frozen=True)
class TagLayout:
    """The classes of a tagger.

    Args:
        labels: of the spans.
        label_of: int32 (classes,), the label's number, or −1 outside of spans.
        begins: bool (classes,), whether a token of the class begins a span whatever stands before it.
    """

    labels: tuple[str, ...]
    label_of: np.ndarray
    begins: np.ndarray

    @classmethod
    def of(cls, class_names: Sequence[str]) -> "TagLayout":
        """Reads the names of the classes.

        With prefixes (``B-LOC``, ``I-LOC``) they are those of one label; without any, as of parts of speech, every
        class is a label, and every word a span of its own. The class ``O`` alone is outside of spans.
        """
        matches = [_PREFIXED.fullmatch(name) for name in class_names]
        if not all(match or name == OUTSIDE for match, name in zip(matches, class_names, strict=True)):
            matches = [None] * len(class_names)
        names = [
            None if name == OUTSIDE else match[2] if match else name
            for match, name in zip(matches, class_names, strict=True)
        ]
        labels = [name for name in dict.fromkeys(names) if name is not None]
        label_of = np.array([-1 if name is None else labels.index(name) for name in names], np.int32)
        begins = np.array([match is None or match[1] in _BEGINS for match in matches])
        return cls(tuple(labels), label_of, begins & (label_of >= 0))

    def legal_steps(self) -> np.ndarray:
        """What a class (column) adds behind another (row), or as the first (last row); float32 (classes + 1, classes).

        That is 0, or a large negative number for a class that goes on anywhere but behind one of its own label: the
        sequences of IOB2.
        """
        goes_on = (self.label_of >= 0) & ~self.begins
        before = np.append(self.label_of, -1)
        return np.where(goes_on & (before[:, None] != self.label_of), _NEVER, 0.0).astype(np.float32)
