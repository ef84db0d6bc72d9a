"""Pretraining batches: masked rows, masked sentence pairs, and next-token rows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfplm import feature_names as names
from tfplm.data.batches import (
    EVERY_ROW,
    Batch,
    BatchSource,
    batch_generator,
    row_seeds,
    row_uniforms,
    shuffled_rows,
)
from tfplm.data.masking import Masker
from tfplm.data.packing import RowPacker
from tfplm.data.sentence_pairs import PairBuilder
from tfplm.data.shards import TokenShards
from tfplm.errors import UserError
from tfplm.objectives import CausalLmConfig, MaskedLmConfig, least_sequence_length
from tfplm.tokenizers.wordpiece import WordPieceTokenizer

_OFFSETS, _PAIRS, _MASKS = range(3)  # streams of randomness within one step


@dataclass(frozen=True)
class PretrainingBatches(BatchSource):
    """What every objective draws its batches from."""

    shards: TokenShards
    tokenizer: WordPieceTokenizer
    objective: MaskedLmConfig | CausalLmConfig
    sequence_length: int
    batch_size: int
    seed: int

    def row_numbers(self, step: int) -> np.ndarray:
        return shuffled_rows(step, self.batch_size, self.num_rows, self.seed)[0]

    def _packer(self, sequence_length: int) -> RowPacker:
        tokenizer = self.tokenizer
        return RowPacker(self.shards, sequence_length, tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id)

    def _packed(self, packer: RowPacker, step: int, places: np.ndarray) -> dict[str, np.ndarray]:
        """The packed rows at these places of a step's batch, each feature int32 (places, sequence)."""
        rows, epochs = shuffled_rows(step, self.batch_size, packer.num_rows, self.seed, places)
        offsets = {epoch: self._epoch_offset(packer, int(epoch)) for epoch in np.unique(epochs)}
        packed = [packer.row(int(row), offsets[epoch]) for row, epoch in zip(rows, epochs, strict=True)]
        token_ids, packing_ids, position_ids = (np.stack(parts) for parts in zip(*packed, strict=True))
        return {
            names.TOKEN_IDS: token_ids,
            names.PACKING_IDS: packing_ids,
            names.POSITION_IDS: position_ids,
            names.ROW_SEEDS: row_seeds(self.seed, step, self.batch_size, places),
        }

    def _epoch_offset(self, packer: RowPacker, epoch: int) -> int:
        return int(batch_generator(self.seed, epoch, _OFFSETS).integers(packer.max_offset + 1)) if epoch else 0


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
        return self._packer(self.sequence_length)

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
            features = self._packed(self._rows, step, places)
        uniforms = row_uniforms(self.seed, step, _MASKS, places, 3 * self.sequence_length)
        masked = self.masker.mask(features[names.TOKEN_IDS], uniforms.reshape(len(places), 3, -1))
        features |= {names.TOKEN_IDS: masked.token_ids, names.MASK_POSITIONS: masked.positions}
        targets[names.MASKED_LM], weights[names.MASKED_LM] = masked.original_ids, masked.weights
        return features, targets, weights

    def _sentence_pairs(self, step: int, places: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows, _ = shuffled_rows(step, self.batch_size, self._pairs.num_rows, self.seed, places)
        pairs = [
            self._pairs.row(int(row), batch_generator(self.seed, step, _PAIRS, int(place)))
            for row, place in zip(rows, places, strict=True)
        ]
        features = {
            names.TOKEN_IDS: np.stack([pair.token_ids for pair in pairs]),
            names.SEGMENT_IDS: np.stack([pair.segment_ids for pair in pairs]),
            names.PACKING_IDS: np.stack([pair.packing_ids for pair in pairs]),
            names.ROW_SEEDS: row_seeds(self.seed, step, self.batch_size, places),
        }
        return features, np.array([pair.is_next for pair in pairs], np.int32)


@dataclass(frozen=True)
class CausalLmBatches(PretrainingBatches):
    """Next-token prediction over packed rows: the target is the row shifted by one, within each document."""

    @cached_property
    def _rows(self) -> RowPacker:
        return self._packer(self.sequence_length + 1)

    @property
    def num_rows(self) -> int:
        return self._rows.num_rows

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        packed = self._packed(self._rows, step, np.arange(self.batch_size)[rows])
        sequences = (names.TOKEN_IDS, names.PACKING_IDS, names.POSITION_IDS)
        features = packed | {name: packed[name][:, :-1] for name in sequences}
        targets = {names.NEXT_TOKEN: packed[names.TOKEN_IDS][:, 1:]}
        packing = packed[names.PACKING_IDS]
        inside = (packing[:, 1:] == packing[:, :-1]) & (packing[:, 1:] > 0)
        return features, targets, {names.NEXT_TOKEN: inside.astype(np.float32)}


def pretraining_batches(
    shards: TokenShards,
    tokenizer: WordPieceTokenizer,
    objective: MaskedLmConfig | CausalLmConfig,
    sequence_length: int,
    batch_size: int,
    seed: int,
) -> MaskedLmBatches | CausalLmBatches:
    """The batches of an objective over a prepared corpus.

    Raises:
        UserError: the shards are empty, or the rows have no room for text.
    """
    least = least_sequence_length(objective)
    if sequence_length < least:
        raise UserError(
            f"pretrain.sequence_length is {sequence_length}.",
            f"Expected {least} or more: [CLS] and [SEP] take a part of every row.",
        )
    if not shards.num_tokens:
        raise UserError(f"There are no tokens in {shards.folder}.", "Expected text to learn from.", "Add sources.")
    batches = {"masked_lm": MaskedLmBatches, "causal_lm": CausalLmBatches}[objective.type]
    return batches(shards, tokenizer, objective, sequence_length, batch_size, seed)
