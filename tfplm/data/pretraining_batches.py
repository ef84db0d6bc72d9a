"""What the batches of all pretraining objectives share."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfplm.data.batches import BatchSource, batch_generator, row_seeds, shuffled_rows
from tfplm.data.document_stream import DocumentStream
from tfplm.data.shards import TokenShards
from tfplm.objectives import AnyObjective
from tfplm.tokenizers.tokenizer import Tokenizer

OFFSETS, PAIRS, MASKS, SPANS, SPLITS = range(5)  # streams of randomness within one step


@dataclass(frozen=True)
class PretrainingBatches(BatchSource):
    """What every objective draws its batches from."""

    shards: TokenShards
    tokenizer: Tokenizer
    objective: AnyObjective
    sequence_length: int
    batch_size: int
    seed: int

    @property
    @abstractmethod
    def num_rows(self) -> int:
        """Rows of an epoch."""

    def row_numbers(self, step: int) -> np.ndarray:
        return shuffled_rows(step, self.batch_size, self.num_rows, self.seed)[0]

    def _row_seeds(self, step: int, places: np.ndarray) -> np.ndarray:
        return row_seeds(self.seed, step, self.batch_size, places)

    def _epoch_offset(self, max_offset: int, epoch: int) -> int:
        """How many tokens later than in the first epoch the rows of this one begin."""
        return int(batch_generator(self.seed, epoch, OFFSETS).integers(max_offset + 1)) if epoch else 0


@dataclass(frozen=True)
class StreamBatches(PretrainingBatches):
    """Rows that are windows of the document stream, which begin at other tokens in every epoch.

    The windows of an epoch make up one lap of the stream; the last one goes on into the next lap.
    """

    @cached_property
    def _stream(self) -> DocumentStream:
        """The documents with the end of text between them, as T5 joins them."""
        return DocumentStream(self.shards, self.tokenizer.end_id)

    @property
    def _window(self) -> int:
        """Tokens from one window to the next one."""
        return self.sequence_length

    @property
    def num_rows(self) -> int:
        return -(-self._stream.num_tokens // self._window)

    def _rows_and_offsets(self, step: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the windows at these places of a step's batch, and their epochs' offsets: int64 (places,)."""
        rows, epochs = shuffled_rows(step, self.batch_size, self.num_rows, self.seed, places)
        max_offset = min(self._window, self._stream.num_tokens) - 1
        distinct, inverse = np.unique(epochs, return_inverse=True)
        offsets = np.array([self._epoch_offset(max_offset, int(epoch)) for epoch in distinct])
        return rows, offsets[inverse]

    def texts(self, step: int, places: np.ndarray) -> np.ndarray:
        """The full windows at these places of a step's batch: int32 (places, window)."""
        rows, offsets = self._rows_and_offsets(step, places)
        return self._stream.windows(rows * self._window + offsets, self._window).token_ids
