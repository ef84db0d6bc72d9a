"""Batches of encoded pairs: for encoder-decoders in rows of their own, for decoders packed."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfplm import feature_names as names
from tfplm.data.batches import EVERY_ROW, Batch, BatchSource, ExampleARow, row_seeds
from tfplm.data.encoded_pairs import EncodedPairs
from tfplm.data.packed_epochs import PackedEpochs, pack_tokens


@dataclass(frozen=True)
class PairBatches(BatchSource):
    """What the two kinds of batches have in common.

    A target is closed with ``end_id`` and cut at its end where it is too long, without ``end_id`` then: no model shall
    learn to stop there. The weights of all targets' tokens are equal, and their mean over an epoch is 1, over the
    places without a token too: the mean of weighted losses over the batches of an epoch is the mean over its tokens.

    Args:
        pairs: encoded for this kind of model.
        source_length: the most tokens of a source, with its special id.
        target_length: the most tokens of a target, with ``end_id``.
        batch_size: rows of a batch.
        seed: of the order and of ROW_SEEDS; None for evaluation: the order is the same in every epoch.
    """

    pairs: EncodedPairs
    source_length: int
    target_length: int
    batch_size: int
    seed: int | None

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """The number of batches in which every pair comes once."""

    @property
    def num_cut(self) -> dict[str, int]:
        """How many "sources" and "targets" are too long."""
        return {
            "sources": sum(len(ids) >= self.source_length for ids in self.pairs.sources),
            "targets": sum(len(ids) >= self.target_length for ids in self.pairs.targets),
        }

    def _target(self, number: int) -> np.ndarray:
        return np.append(self.pairs.targets[number], np.int32(self.pairs.end_id))[: self.target_length]

    @cached_property
    def _target_lengths(self) -> np.ndarray:
        return np.minimum([len(ids) + 1 for ids in self.pairs.targets], self.target_length)

    def _weight(self, row_length: int) -> float:
        """Of each target token, where rows have so many places for one."""
        return self.steps_per_epoch * self.batch_size * row_length / self._target_lengths.sum()


@dataclass(frozen=True)
class Seq2SeqBatches(ExampleARow, PairBatches):
    """For encoder-decoders: a pair a row; the last batch of an epoch is filled up with rows of weight 0.

    Features are TOKEN_IDS (batch, source_length), the source and ``end_id``, cut before it where the source is too
    long; DECODER_TOKEN_IDS (batch, target_length), the targets shifted right behind a padding id; and ROW_SEEDS for
    training. Targets and weights are {NEXT_TOKEN: (batch, target_length)}. Padding is to the right.

    Source: Raffel et al. 2020, section 2.4 (text to text, a prefix for each task).
    """

    @property
    def num_examples(self) -> int:
        return len(self.pairs)

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        of_batch = np.arange(self.batch_size)[rows]
        filled = self.is_example(step, of_batch)
        numbers = self.row_numbers(step)[rows]
        pad_id = self.pairs.pad_id
        sources = np.full((len(numbers), self.source_length), pad_id, np.int32)
        targets = np.full((len(numbers), self.target_length), pad_id, np.int32)
        for row, number in enumerate(numbers):
            source, target = self._source(number), self._target(number)
            sources[row, : len(source)], targets[row, : len(target)] = source, target
        there = (np.arange(self.target_length) < self._target_lengths[numbers][:, None]) & filled[:, None]
        weights = there * np.float32(self._weight(self.target_length))
        decoder = np.pad(targets[:, :-1], ((0, 0), (1, 0)), constant_values=pad_id)
        features = {names.TOKEN_IDS: sources, names.DECODER_TOKEN_IDS: decoder}
        if self.seed is not None:
            features[names.ROW_SEEDS] = row_seeds(self.seed, step, self.batch_size, of_batch)
        return features, {names.NEXT_TOKEN: targets}, {names.NEXT_TOKEN: weights}

    def _source(self, number: int) -> np.ndarray:
        return np.append(self.pairs.sources[number][: self.source_length - 1], np.int32(self.pairs.end_id))


@dataclass(frozen=True)
class CompletionBatches(PairBatches):
    """For decoders: several pairs in a row of source_length + target_length, each whole and once an epoch.

    A pair is ``prefix_ids``, the source and the target; the token that each of these predicts, up to ``end_id``, is its
    NEXT_TOKEN, with weight where it belongs to the target. A source that is too long is cut at its beginning, behind
    ``prefix_ids``: what is nearest to the completion stays.

    Features are TOKEN_IDS, PACKING_IDS, which number the pairs of a row from 1, POSITION_IDS, which restart with each,
    int32 (batch, sequence), and ROW_SEEDS for training. Targets and weights are {NEXT_TOKEN: (batch, sequence)}.
    """

    @property
    def sequence_length(self) -> int:
        return self.source_length + self.target_length

    @property
    def steps_per_epoch(self) -> int:
        return self._epochs.steps_per_epoch

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        examples = self._epochs.examples(step)[rows]
        tokens = pack_tokens(examples, self._epochs.lengths)
        sequences = [self._sequence(number) for number in examples[examples >= 0]]
        read = np.concatenate([ids[:-1] for ids in sequences] or [np.zeros(0, np.int32)])
        predicted = np.concatenate([ids[1:] for ids in sequences] or [np.zeros(0, np.int32)])
        shape = (len(examples), self.sequence_length)
        of_target = tokens.positions >= self._source_lengths[tokens.examples] - 1
        weights = tokens.lay(of_target * np.float32(self._weight(self.sequence_length)), *shape)
        targets = tokens.lay(predicted, *shape)
        features = {names.TOKEN_IDS: tokens.lay(read, *shape), **tokens.markers(*shape)}
        if self.seed is not None:
            of_batch = np.arange(self.batch_size)[rows]
            features[names.ROW_SEEDS] = row_seeds(self.seed, step, self.batch_size, of_batch)
        return features, {names.NEXT_TOKEN: targets}, {names.NEXT_TOKEN: weights}

    def row_numbers(self, step: int) -> np.ndarray:
        """The numbers of the pairs of a step's batch: int64 (pairs,)."""
        examples = self._epochs.examples(step)
        return examples[examples >= 0]

    @cached_property
    def _source_lengths(self) -> np.ndarray:
        return np.minimum([self._num_prefix + len(ids) for ids in self.pairs.sources], self.source_length)

    @property
    def _num_prefix(self) -> int:
        return len(self.pairs.prefix_ids)

    @cached_property
    def _epochs(self) -> PackedEpochs:
        lengths = self._source_lengths + self._target_lengths - 1  # what is predicted last is not read
        return PackedEpochs(lengths, self.sequence_length, self.batch_size, self.seed)

    def _sequence(self, number: int) -> np.ndarray:
        source = self.pairs.sources[number]
        source = source[len(source) - (self._source_lengths[number] - self._num_prefix) :]
        return np.concatenate([self.pairs.prefix_ids, source, self._target(number)]).astype(np.int32)
