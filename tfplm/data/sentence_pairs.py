"""Sentence pairs for next-sentence prediction, drawn from the shards with random access."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tfplm.data.shards import TokenShards


class PairRow(NamedTuple):
    """One pair; arrays are int32 of shape (sequence_length,)."""

    token_ids: np.ndarray
    segment_ids: np.ndarray  # 0 for [CLS] A [SEP], 1 for B [SEP], 0 at padding
    packing_ids: np.ndarray  # 1, and 0 at padding
    is_next: int


@dataclass(frozen=True)
class PairBuilder:
    """Builds ``[CLS] A [SEP] B [SEP]``; half of the time B really follows A.

    Pair r begins at the sentence that holds token r · (sequence_length − 3) of the stream, so that an epoch reads
    the corpus about once and any pair is found without a plan.

    Source: Devlin et al. 2019, section 3.1, task 2, and appendix A.2 (shorter pairs with a small probability).
    """

    shards: TokenShards
    sequence_length: int
    start_id: int
    end_id: int
    pad_id: int
    short_sequence_rate: float

    @property
    def budget(self) -> int:
        return self.sequence_length - 3

    @property
    def num_rows(self) -> int:
        return max(1, self.shards.num_tokens // self.budget)

    def row(self, index: int, rng: np.random.Generator) -> PairRow:
        target = self.budget
        if rng.random() < self.short_sequence_rate:
            target = int(rng.integers(min(2, self.budget), self.budget + 1))
        starts = self.shards.sentence_starts_tokens
        sentence = int(np.searchsorted(starts, index * self.budget, side="right")) - 1
        document = self._document_of(sentence)
        document_end = int(self.shards.document_first_sentence[document + 1])
        # The chunk: sentences from here on that fit the target, at least one.
        chunk_end = int(np.searchsorted(starts, starts[sentence] + target, side="right")) - 1
        chunk_end = min(max(chunk_end, sentence + 1), document_end)

        split = chunk_end if chunk_end - sentence < 2 else int(rng.integers(sentence + 1, chunk_end))
        can_differ = self.shards.num_documents > 1
        is_next = split < chunk_end and not (can_differ and rng.random() < 0.5)
        first = self.shards.tokens(int(starts[sentence]), int(starts[split]))
        if is_next:
            second = self.shards.tokens(int(starts[split]), int(starts[chunk_end]))
        else:
            second = self._random_text(document, max(1, target - len(first)), rng)
        return self._assemble(first, second, target, is_next, rng)

    def _document_of(self, sentence: int) -> int:
        return int(np.searchsorted(self.shards.document_first_sentence, sentence, side="right")) - 1

    def _random_text(self, document: int, length: int, rng: np.random.Generator) -> np.ndarray:
        """Text from another document (the same one only where the corpus has no other)."""
        count = self.shards.num_documents
        other = document
        if count > 1:
            other = (document + 1 + int(rng.integers(count - 1))) % count
        first, last = self.shards.document_first_sentence[other : other + 2]
        sentence = int(rng.integers(first, last))
        starts = self.shards.sentence_starts_tokens
        begin = int(starts[sentence])
        return self.shards.tokens(begin, min(begin + length, int(starts[last])))

    def _assemble(
        self, first: np.ndarray, second: np.ndarray, target: int, is_next: bool, rng: np.random.Generator
    ) -> PairRow:
        # Both keep at least one token; the longer one is cut first: A at its front, B at its end.
        room = max(target, 2)
        second = second[: max(room - len(first), room // 2)]
        first = first[len(first) - min(len(first), room - len(second)) :]
        length, middle = self.sequence_length, len(first) + 2
        end = middle + len(second) + 1
        token_ids = np.full(length, self.pad_id, np.int32)
        token_ids[0], token_ids[middle - 1], token_ids[end - 1] = self.start_id, self.end_id, self.end_id
        token_ids[1 : middle - 1], token_ids[middle : end - 1] = first, second
        segment_ids, packing_ids = np.zeros(length, np.int32), np.zeros(length, np.int32)
        segment_ids[middle:end] = 1
        packing_ids[:end] = 1
        return PairRow(token_ids, segment_ids, packing_ids, int(is_next))
