"""Batches of causal language modelling."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfplm import feature_names as names
from tfplm.data.batches import EVERY_ROW, Batch
from tfplm.data.document_stream import DocumentStream
from tfplm.data.pretraining_batches import StreamBatches


@dataclass(frozen=True)
class CausalLmBatches(StreamBatches):
    """Next-token prediction over windows of the stream: the target is the row shifted by one, within each document.

    A document stands between ``start_id`` and ``end_id``. Windows overlap by one token, so that an epoch predicts
    every token of every document once, and its end. Only the last window of an epoch is padded, at its right.
    """

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        places = np.arange(self.batch_size)[rows]
        return self._windows(*self._rows_and_offsets(step, places), self._row_seeds(step, places))

    def epoch_batches(self, batch_size: int) -> Iterator[Batch]:
        """All text once and in order, to measure it exactly.

        The sum of all weights is the number of tokens and documents of the shards: every document's tokens and its
        end. The last batch is filled up with rows of padding.

        Args:
            batch_size: rows of a batch.

        Yields:
            Batches of the same shapes.
        """
        for first in range(0, self.num_rows, batch_size):
            rows = np.arange(first, first + batch_size)
            yield self._windows(rows, np.zeros_like(rows), rows.astype(np.int32))

    @cached_property
    def _stream(self) -> DocumentStream:
        return DocumentStream(self.shards, self.tokenizer.end_id, self.tokenizer.start_id)

    def _windows(self, rows: np.ndarray, offsets: np.ndarray, seeds: np.ndarray) -> Batch:
        """The windows of these numbers, int64 (rows,); a number behind the last one gives a row of padding."""
        columns = np.arange(self._window + 1)
        left = (self._stream.num_tokens - rows * self._window)[:, None]  # of the lap
        real = (columns <= left) & (left > 0)  # (rows, window + 1)
        windows = self._stream.windows(rows * self._window + offsets, self._window + 1)
        documents = windows.documents
        begins = np.diff(documents, axis=1, prepend=-1) > 0
        token_ids = np.where(real, windows.token_ids, np.int32(self.tokenizer.pad_id))
        packing_ids = np.where(real, documents - documents[:, :1] + 1, 0).astype(np.int32)
        position_ids = columns - np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
        features = {
            names.TOKEN_IDS: token_ids[:, :-1],
            names.PACKING_IDS: packing_ids[:, :-1],
            names.POSITION_IDS: np.where(real, position_ids, 0)[:, :-1].astype(np.int32),
            names.ROW_SEEDS: seeds,
        }
        inside = real[:, 1:] & (packing_ids[:, 1:] == packing_ids[:, :-1])
        return features, {names.NEXT_TOKEN: token_ids[:, 1:]}, {names.NEXT_TOKEN: inside.astype(np.float32)}
