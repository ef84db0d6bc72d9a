"""Rows packed full: from the token stream, every document's part between its own [CLS] and [SEP], or from examples."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tfplm.data.shards import TokenShards


class PackedRow(NamedTuple):
    """One row; every array is int32 of shape (sequence_length,)."""

    token_ids: np.ndarray
    packing_ids: np.ndarray  # 1, 2, … for the documents in the row; 0 at padding
    position_ids: np.ndarray  # restart with every document


@dataclass(frozen=True)
class RowPacker:
    """Cuts the stream of a corpus into rows of ``sequence_length`` with random access.

    Row r takes a window of sequence_length − 2 tokens of the stream. A window inside one document gives
    ``[CLS] tokens [SEP]``; with k documents each part has its own pair, and the last 2(k − 1) tokens of the window
    yield their places. The windows begin at another offset every epoch, so these tokens are seen in the next one.
    """

    shards: TokenShards
    sequence_length: int
    start_id: int
    end_id: int
    pad_id: int

    @property
    def num_rows(self) -> int:
        return max(1, (self.shards.num_tokens - self.max_offset) // self.window)

    @property
    def window(self) -> int:
        return self.sequence_length - 2

    @property
    def max_offset(self) -> int:
        return min(self.window - 1, max(0, self.shards.num_tokens - self.window))

    def row(self, index: int, offset: int = 0) -> PackedRow:
        """The row ``index`` of the epoch whose windows begin ``offset`` tokens into the stream."""
        starts = self.shards.document_starts_tokens
        begin = index * self.window + offset
        end = min(begin + self.window, self.shards.num_tokens)
        first = int(np.searchsorted(starts, begin, side="right")) - 1
        last = int(np.searchsorted(starts, end, side="left"))
        edges = np.clip(starts[first : last + 1], begin, end)
        tokens = self.shards.tokens(begin, end)

        length = self.sequence_length
        row = PackedRow(np.full(length, self.pad_id, np.int32), np.zeros(length, np.int32), np.zeros(length, np.int32))
        cursor = 0
        for part, (left, right) in enumerate(zip(edges[:-1], edges[1:], strict=True), start=1):
            size = min(int(right - left), length - cursor - 2)
            if size <= 0:
                continue
            stop = cursor + size + 2
            row.token_ids[cursor] = self.start_id
            row.token_ids[cursor + 1 : stop - 1] = tokens[left - begin : left - begin + size]
            row.token_ids[stop - 1] = self.end_id
            row.packing_ids[cursor:stop] = part
            row.position_ids[cursor:stop] = np.arange(size + 2)
            cursor = stop
        return row


_GRANULES = 64  # lengths that are told apart in a row


@dataclass(frozen=True)
class ExamplePacker:
    """Packs whole examples into rows, other ones side by side in every epoch, into the same number of rows.

    Which lengths share a row is planned once, by the lengths alone, which are rounded up a little for it: the longest
    first, each into the fullest row that has room for it. In every epoch each place of the plan takes another example
    of its rounded length.

    Source: best-fit decreasing, Johnson 1973, "Near-Optimal Bin Packing Algorithms"; for packed batches Krell et al.
    2021, "Efficient Sequence Packing without Cross-contamination".

    Args:
        lengths: int (examples,), each at least 1 and at most ``row_length``.
        row_length: tokens of a row.
    """

    lengths: np.ndarray
    row_length: int

    @property
    def num_rows(self) -> int:
        return len(self._plan)

    @property
    def examples_per_row(self) -> int:
        """What the row with the most examples holds."""
        return self._plan.shape[1]

    def rows(self, rng: np.random.Generator) -> np.ndarray:
        """An epoch: int64 (rows, examples_per_row), the numbers of each row's examples from the left, then −1.

        The rows stand in the order of the plan; whoever trains on them shuffles them.
        """
        by_length = np.lexsort((rng.random(len(self.lengths)), self._rounded))
        return np.where(self._plan < 0, -1, by_length[self._plan])

    @cached_property
    def _rounded(self) -> np.ndarray:
        granule = -(-self.row_length // _GRANULES)
        return np.minimum(-(-self.lengths // granule) * granule, self.row_length)

    @cached_property
    def _plan(self) -> np.ndarray:
        """What `rows` returns, of places in the order of the rounded lengths instead of examples."""
        most = -(
            -2 * self.row_length // max(1, int(self._rounded.mean()))
        )  # else rows of very short texts set the width
        rows: list[list[int]] = []
        open_rows: list[list[int]] = [[] for _ in range(self.row_length + 1)]  # row numbers by the room that they have
        rooms = 0  # bit r is set where open_rows[r] holds any
        ascending = np.sort(self._rounded)
        for place in range(len(ascending) - 1, -1, -1):
            length = int(ascending[place])
            fitting = rooms >> length
            if fitting:
                room = length + (fitting & -fitting).bit_length() - 1
                row = open_rows[room].pop()
                rooms ^= 0 if open_rows[room] else 1 << room
            else:
                room, row = self.row_length, len(rows)
                rows.append([])
            rows[row].append(place)
            if room > length and len(rows[row]) < most:
                open_rows[room - length].append(row)
                rooms |= 1 << (room - length)
        plan = np.full((len(rows), max(map(len, rows))), -1, np.int64)
        for row, places in enumerate(rows):
            plan[row, : len(places)] = places
        return plan
