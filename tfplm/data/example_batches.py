"""Batches of examples that were tokenized once, for every task that reads a whole row."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.data.batches import EVERY_ROW, Batch, BatchSource, ExampleARow, Order, row_seeds
from tfplm.data.packed_epochs import PackedEpochs, PackedTokens, pack_tokens


@dataclass(frozen=True)
class ExampleRows:
    """What a task learns from, an example a row.

    Args:
        features: what the model reads, by name; int32 (examples, sequence), or whatever begins with the examples.
        targets: an array or a dictionary of them; each begins with the examples.
        weights: float32 of the structure of ``targets``.
        lengths: int (examples,), the tokens of each row, padding left out.
        targets_are_per_token: whether targets and weights are (examples, sequence).
        figures: what was counted when they were made, for the report; JSON-able.
    """

    features: dict[str, np.ndarray]
    targets: Any
    weights: Any
    lengths: np.ndarray
    targets_are_per_token: bool = False
    figures: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.lengths)


def row_lengths(token_ids: np.ndarray, pad_id: int) -> np.ndarray:
    """The tokens of rows (examples, sequence) up to the last one that is no padding: int (examples,)."""
    behind = np.argmax(token_ids[:, ::-1] != pad_id, axis=1)
    return np.where((token_ids != pad_id).any(axis=1), token_ids.shape[1] - behind, 0)


@dataclass(frozen=True)
class ExampleBatches(ExampleARow):
    """Fixed-size batches of examples; the last batch of an epoch is filled up with rows of weight 0.

    All other weights are raised by as much as these rows lower a mean, so that the mean over the batches of an epoch is
    the mean over its examples.

    Args:
        rows: the examples.
        batch_size: rows of a batch.
        seed: of the order; None keeps the order, for evaluation.
        order: of the examples in each epoch; None draws a permutation from ``seed``.
    """

    rows: ExampleRows
    batch_size: int
    seed: int | None
    order: Order | None = None

    @property
    def num_examples(self) -> int:
        return len(self.rows)

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        of_batch = np.arange(self.batch_size)[rows]
        filled = self.is_example(step, of_batch)
        examples = self.row_numbers(step)[rows]
        factor = filled * np.float32(self.steps_per_epoch * self.batch_size / len(self.rows))
        weights = tf.nest.map_structure(lambda part: _scaled(part[examples], factor), self.rows.weights)
        targets = tf.nest.map_structure(lambda part: part[examples], self.rows.targets)
        features = {name: part[examples] for name, part in self.rows.features.items()}
        if self.seed is not None:
            features[names.ROW_SEEDS] = row_seeds(self.seed, step, self.batch_size, of_batch)
        return features, targets, weights


@dataclass(frozen=True)
class PackedExampleBatches(BatchSource):
    """As `ExampleBatches`, but with several examples in a row: each in one row of the epoch, and whole.

    A batch is of ``batch_size`` rows as long as those of ``rows``. Features are those of the rows, PACKING_IDS, which
    number the examples of a row from 1, and POSITION_IDS, which restart with each, int32 (batch, sequence); besides
    ROW_SEEDS. Targets and weights of examples are (batch, examples, …), and EXAMPLE_STARTS int32 (batch, examples) is
    among the features; those of tokens are (batch, sequence). Weights are 0 where there is no example. The mean over
    the batches of an epoch is the mean over its examples.

    Args:
        rows: the examples.
        batch_size: rows of a batch.
        seed: of the order.
    """

    rows: ExampleRows
    batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold every example once."""
        return self._epochs.steps_per_epoch

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        examples = self._epochs.examples(step)[rows]
        tokens = pack_tokens(examples, self._epochs.lengths)
        features = {name: _packed(part, tokens, len(examples)) for name, part in self.rows.features.items()}
        features |= tokens.markers(*features[names.TOKEN_IDS].shape)
        of_batch = np.arange(self.batch_size)[rows]
        features[names.ROW_SEEDS] = row_seeds(self.seed, step, self.batch_size, of_batch)
        if self.rows.targets_are_per_token:
            targets, weights = (
                tf.nest.map_structure(lambda part: _packed(part, tokens, len(examples)), parts)
                for parts in (self.rows.targets, self.rows.weights)
            )
            return features, targets, weights
        features[names.EXAMPLE_STARTS] = tokens.starts.astype(np.int32)
        places_per_example = self.steps_per_epoch * self.batch_size * examples.shape[1] / len(self.rows)
        factor = (examples >= 0) * np.float32(places_per_example)
        targets = tf.nest.map_structure(lambda part: part[examples], self.rows.targets)
        weights = tf.nest.map_structure(lambda part: _scaled(part[examples], factor), self.rows.weights)
        return features, targets, weights

    def row_numbers(self, step: int) -> np.ndarray:
        """The numbers of the examples of a step's batch: int64 (examples,)."""
        examples = self._epochs.examples(step)
        return examples[examples >= 0]

    @cached_property
    def _epochs(self) -> PackedEpochs:
        length = self.rows.features[names.TOKEN_IDS].shape[1]
        return PackedEpochs(np.maximum(self.rows.lengths, 1), length, self.batch_size, self.seed)


def _scaled(weights: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Weights that begin with the axes of ``factor``, times it: float32."""
    return (weights * factor.reshape(factor.shape + (1,) * (weights.ndim - factor.ndim))).astype(np.float32)


def _packed(part: np.ndarray, tokens: PackedTokens, num_rows: int) -> np.ndarray:
    """Values (examples, sequence) of packed tokens, 0 where there is none: (num_rows, sequence)."""
    return tokens.lay(part[tokens.examples, tokens.positions], num_rows, part.shape[1])
