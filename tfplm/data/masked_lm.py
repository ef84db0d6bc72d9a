"""Batches of masked-language modelling."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfplm import feature_names as names
from tfplm.data.batches import EVERY_ROW, Batch, batch_generator, row_uniforms, shuffled_rows
from tfplm.data.masking import Masker
from tfplm.data.packing import RowPacker
from tfplm.data.pretraining_batches import MASKS, PAIRS, PretrainingBatches
from tfplm.data.sentence_pairs import PairBuilder


@dataclass(frozen=True)
class MaskedLmBatches(PretrainingBatches):
    """Masked-language modelling, over packed rows or over sentence pairs.

    Features are (batch, sequence) int32, plus ``mask_positions`` (batch, predictions). Targets and weights are
    dictionaries by output name: ``masked_lm`` (batch, predictions) and, for pairs, ``next_sentence`` (batch,).
    """

    @cached_property
    def masker(self) -> Masker:
        tokenizer = self.tokenizer
        return Masker(
            self.objective,
            mask_id=tokenizer.mask_id,
            special_ids=tokenizer.special_ids,
            vocabulary_size=tokenizer.vocabulary_size,
            is_word_start=tokenizer.is_word_start,
            num_predictions=max(1, round(self.objective.mask_rate * self.sequence_length)),
        )

    @cached_property
    def _rows(self) -> RowPacker:
        tokenizer = self.tokenizer
        return RowPacker(self.shards, self.sequence_length, tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id)

    @cached_property
    def _pairs(self) -> PairBuilder:
        tokenizer = self.tokenizer
        ids = (tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id)
        return PairBuilder(self.shards, self.sequence_length, *ids, self.objective.short_sequence_rate)

    @property
    def num_rows(self) -> int:
        return self._pairs.num_rows if self.objective.next_sentence else self._rows.num_rows

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        places = np.arange(self.batch_size)[rows]
        targets: dict[str, np.ndarray] = {}
        weights: dict[str, np.ndarray] = {}
        if self.objective.next_sentence:
            features, targets[names.NEXT_SENTENCE] = self._sentence_pairs(step, places)
            weights[names.NEXT_SENTENCE] = np.ones(len(places), np.float32)
        else:
            features = self._packed(step, places)
        uniforms = row_uniforms(self.seed, step, MASKS, places, 3 * self.sequence_length)
        masked = self.masker.mask(features[names.TOKEN_IDS], uniforms.reshape(len(places), 3, -1))
        features |= {names.TOKEN_IDS: masked.token_ids, names.MASK_POSITIONS: masked.positions}
        targets[names.MASKED_LM], weights[names.MASKED_LM] = masked.original_ids, masked.weights
        return features, targets, weights

    def _packed(self, step: int, places: np.ndarray) -> dict[str, np.ndarray]:
        """The packed rows at these places of a step's batch, each feature int32 (places, sequence)."""
        packer = self._rows
        rows, epochs = shuffled_rows(step, self.batch_size, packer.num_rows, self.seed, places)
        offsets = {epoch: self._epoch_offset(packer.max_offset, int(epoch)) for epoch in np.unique(epochs)}
        packed = [packer.row(int(row), offsets[epoch]) for row, epoch in zip(rows, epochs, strict=True)]
        token_ids, packing_ids, position_ids = (np.stack(parts) for parts in zip(*packed, strict=True))
        return {
            names.TOKEN_IDS: token_ids,
            names.PACKING_IDS: packing_ids,
            names.POSITION_IDS: position_ids,
            names.ROW_SEEDS: self._row_seeds(step, places),
        }

    def _sentence_pairs(self, step: int, places: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows, _ = shuffled_rows(step, self.batch_size, self._pairs.num_rows, self.seed, places)
        pairs = [
            self._pairs.row(int(row), batch_generator(self.seed, step, PAIRS, int(place)))
            for row, place in zip(rows, places, strict=True)
        ]
        features = {
            names.TOKEN_IDS: np.stack([pair.token_ids for pair in pairs]),
            names.SEGMENT_IDS: np.stack([pair.segment_ids for pair in pairs]),
            names.PACKING_IDS: np.stack([pair.packing_ids for pair in pairs]),
            names.ROW_SEEDS: self._row_seeds(step, places),
        }
        return features, np.array([pair.is_next for pair in pairs], np.int32)
