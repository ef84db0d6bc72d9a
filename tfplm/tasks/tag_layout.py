"""What the classes of a tagger mean: which label each is of, and whether it begins a span."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

OUTSIDE = "O"

_PREFIXED = re.compile(r"([BIMELSUW])[-_](.+)")
_BEGINS = "BSUW"  # the rest goes on: iobes, bilou and bmes are read alike


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
        class is a label, and every word a span of its own.
        """
        matches = [_PREFIXED.fullmatch(name) for name in class_names]
        is_outside = [name == OUTSIDE for name in class_names]
        if not all(match or outside for match, outside in zip(matches, is_outside, strict=True)):
            matches = [None] * len(class_names)
        names = [match[2] if match else name for match, name in zip(matches, class_names, strict=True)]
        labels = tuple(dict.fromkeys(name for name, outside in zip(names, is_outside, strict=True) if not outside))
        label_of = [-1 if outside else labels.index(name) for name, outside in zip(names, is_outside, strict=True)]
        begins = [match is None or match[1] in _BEGINS for match in matches]
        return cls(labels, np.array(label_of, np.int32), np.array(begins) & (np.array(label_of) >= 0))

    @property
    def classes_of_label(self) -> np.ndarray:
        """The classes of every label: int32 (labels, most classes of one), filled up with the number of classes."""
        members = [np.flatnonzero(self.label_of == label) for label in range(len(self.labels))]
        width = max((len(classes) for classes in members), default=1)
        return np.array(
            [np.pad(c, (0, width - len(c)), constant_values=len(self.label_of)) for c in members], np.int32
        ).reshape(len(self.labels), width)
