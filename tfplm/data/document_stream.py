"""A corpus as one endless stream of documents, of which windows begin anywhere."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tfplm.data.shards import TokenShards


class Windows(NamedTuple):
    """Windows of the stream, row by row."""

    token_ids: np.ndarray  # int32 (rows, width)
    documents: np.ndarray  # int64 (rows, width): numbers of the documents, which ascend from lap to lap


@dataclass(frozen=True)
class DocumentStream:
    """All documents one behind the other, each with ``end_id`` behind it, and behind the last one the first again.

    Args:
        shards: the documents; at least one token.
        end_id: stands behind every document.
        start_id: stands before every document; None: nothing does.
    """

    shards: TokenShards
    end_id: int
    start_id: int | None = None

    @property
    def num_tokens(self) -> int:
        """Of one lap, markers and all."""
        return int(self._starts[-1])

    def windows(self, begins: np.ndarray, width: int) -> Windows:
        """Windows of ``width`` tokens that begin at these places of the stream, int64 (rows,) and not negative."""
        laps, places = np.divmod(begins[:, None] + np.arange(width), self.num_tokens)
        documents = np.searchsorted(self._starts, places, side="right") - 1
        # Of a document's marker there is no token: the neighbor's is taken and written over.
        tokens = places - documents * self._markers - (self._markers - 1)
        token_ids = self.shards.tokens_at(np.clip(tokens, 0, self.shards.num_tokens - 1))
        token_ids[places == self._starts[documents + 1] - 1] = self.end_id
        if self.start_id is not None:
            token_ids[places == self._starts[documents]] = self.start_id
        return Windows(token_ids, documents + laps * self.shards.num_documents)

    @property
    def _markers(self) -> int:
        """Tokens that every document has besides its own."""
        return 1 if self.start_id is None else 2

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where every document begins in the stream, and the stream's length: int64 (documents + 1,)."""
        starts = self.shards.document_starts_tokens
        return starts + self._markers * np.arange(len(starts))
