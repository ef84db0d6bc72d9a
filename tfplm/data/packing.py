"""Rows packed full from the token stream, every document's part between its own [CLS] and [SEP]."""

from dataclasses import dataclass
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
