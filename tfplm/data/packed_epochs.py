"""Whole examples packed into the rows of batches, other ones side by side in every epoch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from tfplm import feature_names as names
from tfplm.data.packing import ExamplePacker


@dataclass(frozen=True)
class PackedEpochs:
    """Which examples stand in each row of each batch: each example in one row of the epoch.

    Args:
        lengths: int (examples,), each at least 1 and at most ``row_length``.
        row_length: tokens of a row.
        batch_size: rows of a batch.
        seed: of the order; None: every epoch is the same.
    """

    lengths: np.ndarray
    row_length: int
    batch_size: int
    seed: int | None

    @property
    def steps_per_epoch(self) -> int:
        return -(-self._packer.num_rows // self.batch_size)

    def examples(self, step: int) -> np.ndarray:
        """The numbers of the examples in each row of a batch from the left, then −1: int64 (batch, places)."""
        epoch, batch_of_epoch = divmod(step, self.steps_per_epoch)
        first = batch_of_epoch * self.batch_size
        return self._of_epoch(0 if self.seed is None else epoch)[first : first + self.batch_size]

    @cached_property
    def _packer(self) -> ExamplePacker:
        return ExamplePacker(self.lengths, self.row_length)

    @cached_property
    def _of_epoch(self) -> Callable[[int], np.ndarray]:
        return lru_cache(maxsize=2)(self._pack_epoch)

    def _pack_epoch(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed or 0, epoch])
        missing = self.steps_per_epoch * self.batch_size - self._packer.num_rows
        rows = np.pad(self._packer.rows(rng), ((0, missing), (0, 0)), constant_values=-1)
        return rng.permutation(rows)  # the empty rows are spread over the batches


class PackedTokens(NamedTuple):
    """Where the tokens of packed examples go; int64 of shape (tokens,) but for ``starts``."""

    rows: np.ndarray
    columns: np.ndarray
    examples: np.ndarray  # the number of each token's example
    positions: np.ndarray  # of each token in its example
    parts: np.ndarray  # 1, 2, … for the examples of a row
    starts: np.ndarray  # (rows, places): the first column of each example; 0 where there is none

    def lay(self, values: np.ndarray, num_rows: int, row_length: int) -> np.ndarray:
        """Values (tokens,) where their tokens stand, and 0 elsewhere: (num_rows, row_length)."""
        rows = np.zeros((num_rows, row_length), values.dtype)
        rows[self.rows, self.columns] = values
        return rows

    def markers(self, num_rows: int, row_length: int) -> dict[str, np.ndarray]:
        """PACKING_IDS and POSITION_IDS, int32 (num_rows, row_length)."""
        values = {names.PACKING_IDS: self.parts, names.POSITION_IDS: self.positions}
        return {name: self.lay(part.astype(np.int32), num_rows, row_length) for name, part in values.items()}


def pack_tokens(examples: np.ndarray, lengths: np.ndarray) -> PackedTokens:
    """Lays the examples of some rows side by side from the left.

    Args:
        examples: int (rows, places), −1 where there is none.
        lengths: int (all examples,).
    """
    lengths = np.where(examples >= 0, lengths[examples], 0)
    starts = np.cumsum(lengths, axis=1) - lengths
    rows, places = np.nonzero(examples >= 0)
    sizes = lengths[rows, places]
    positions = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return PackedTokens(
        rows=np.repeat(rows, sizes),
        columns=np.repeat(starts[rows, places], sizes) + positions,
        examples=np.repeat(examples[rows, places], sizes),
        positions=positions,
        parts=np.repeat(places + 1, sizes),
        starts=np.where(examples >= 0, starts, 0),
    )
