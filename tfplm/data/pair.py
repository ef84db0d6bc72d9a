"""What a model that writes learns from: a source and the target that answers it."""

from typing import NamedTuple


class Pair(NamedTuple):
    """Two texts, where they stand, and the group that they must not part from in a split."""

    source: str
    target: str
    origin: str
    group: str

    @property
    def key(self) -> str:
        """Of equal pairs it is equal."""
        return f"{self.source}\0{self.target}"
