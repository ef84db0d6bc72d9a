"""Batches that are a function of (seed, step): a pipeline can start at any step at the same cost."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names

Batch = tuple[dict[str, np.ndarray], Any, Any]  # features, targets, sample weights


Order = Callable[[int], np.ndarray]  # of an epoch: the numbers of its examples, int (examples,)

EVERY_ROW = slice(None)
_NO_END = 2**62


@dataclass(frozen=True)
class Share:
    """The part of every batch that one worker's input pipeline feeds to the replicas of this worker.

    Args:
        worker: its number, from 0.
        num_workers: of all.
        replicas: of this worker; every worker has as many.
    """

    worker: int = 0
    num_workers: int = 1
    replicas: int = 1

    def step_and_rows(self, element: int, batch_size: int) -> tuple[int, slice]:
        """Which step and which rows of its batch the pipeline's element of this number holds."""
        step, local = divmod(element, self.replicas)
        rows = batch_size // (self.num_workers * self.replicas)
        first = (self.worker * self.replicas + local) * rows
        return step, slice(first, first + rows)


class BatchSource(ABC):
    """A source of batches with random access, to the step and to the row.

    Subclasses have ``batch_size`` and give ``batch(step)`` with the same shapes at every step.
    """

    batch_size: int

    @abstractmethod
    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        """Some rows of the batch of a step: features, targets and sample weights, the row axis first.

        A pure function of the source's seed and ``step``: a row is the same whichever others are asked for. For
        training it has names.ROW_SEEDS among the features (see `row_seeds`), so that dropout follows from it too.
        """

    @abstractmethod
    def row_numbers(self, step: int) -> np.ndarray:
        """Which rows of the corpus, or which of the labelled examples, a step's batch is made of: int64 (numbers,)."""

    def dataset(self, start: int, stop: int | None, share: Share = Share(), parallel_calls: int = 2) -> tf.data.Dataset:
        """The batches of the steps from ``start`` up to ``stop`` in order, prefetched, for ``model.fit``.

        Args:
            start: the first step; starting late costs no more than starting at 0.
            stop: the step behind the last; None: no end.
            share: what one of several workers takes; an element is what one replica takes.
            parallel_calls: batches that are made at once.
        """

        def load_numpy(element: np.ndarray) -> list[np.ndarray]:
            return tf.nest.flatten(self.batch(*share.step_and_rows(int(element), self.batch_size)))

        example = self.batch(*share.step_and_rows(start * share.replicas, self.batch_size))
        leaves = tf.nest.flatten(example)
        dtypes = [tf.as_dtype(leaf.dtype) for leaf in leaves]

        def load(element):
            flat = tf.numpy_function(load_numpy, [element], dtypes, stateful=False)
            for tensor, leaf in zip(flat, leaves, strict=True):
                tensor.set_shape(leaf.shape)
            return tf.nest.pack_sequence_as(example, flat)

        elements = tf.data.Dataset.range(start * share.replicas, _NO_END if stop is None else stop * share.replicas)
        if stop is None:  # a strategy then need not ask all workers before every step whether there is another
            elements = elements.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        batches = elements.map(load, num_parallel_calls=parallel_calls, deterministic=True).prefetch(4)
        return batches.with_options(_without_autotuning())


class ExampleARow(BatchSource):
    """A source whose rows are an example each; the last batch of an epoch is filled up with the first examples.

    Subclasses have ``num_examples``.

    Attributes:
        seed: of the order; None keeps the order, for evaluation.
        order: of the examples in each epoch; None draws a permutation from ``seed``.
    """

    seed: int | None
    order: Order | None = None

    @property
    @abstractmethod
    def num_examples(self) -> int:
        """How many there are."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold every example once."""
        return -(-self.num_examples // self.batch_size)

    def is_example(self, step: int, of_batch: np.ndarray) -> np.ndarray:
        """Which of the rows with these numbers in their batch do not only fill it up: bool (rows,)."""
        return (step % self.steps_per_epoch) * self.batch_size + of_batch < self.num_examples

    def row_numbers(self, step: int) -> np.ndarray:
        epoch, batch_of_epoch = divmod(step, self.steps_per_epoch)
        places = batch_of_epoch * self.batch_size + np.arange(self.batch_size)
        return self._of_epoch(epoch)[places % self.num_examples]

    def _of_epoch(self, epoch: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(self.num_examples)
        if self.order is not None:
            return self.order(epoch)
        return np.random.default_rng([self.seed, epoch]).permutation(self.num_examples)


def encoder_decoder_batch(
    token_ids: np.ndarray, target_ids: np.ndarray, lengths: np.ndarray, seeds: np.ndarray, pad_id: int
) -> Batch:
    """A batch for an encoder-decoder whose decoder reads padding and then its own targets.

    Args:
        token_ids: what the encoder reads, int32 (rows, source).
        target_ids: what the decoder writes, int32 (rows, target), padding behind its end.
        lengths: how many columns of the targets count, int (rows,).
        seeds: of dropout, int32 (rows,).
        pad_id: of the tokenizer.
    """
    shifted = np.full_like(target_ids, pad_id)
    shifted[:, 1:] = target_ids[:, :-1]
    weights = np.arange(target_ids.shape[1]) < lengths[:, None]
    features = {names.TOKEN_IDS: token_ids, names.DECODER_TOKEN_IDS: shifted, names.ROW_SEEDS: seeds}
    return features, {names.NEXT_TOKEN: target_ids}, {names.NEXT_TOKEN: weights.astype(np.float32)}


def _without_autotuning() -> tf.data.Options:
    """There is nothing to tune, and tf.data's tuner at times keeps whoever drops an iterator waiting for seconds."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def shuffled_rows(
    step: int, batch_size: int, num_rows: int, seed: int, places: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers and epochs of the batch at ``step``: a fresh permutation of all rows every epoch, never stored.

    Args:
        step: of the batch.
        batch_size: rows of a batch.
        num_rows: rows of the corpus.
        seed: of the permutations.
        places: the places in the batch that are wanted; None: all.

    Returns:
        rows: int64 (places,), each in [0, num_rows).
        epochs: int64 (places,).
    """
    places = np.arange(batch_size) if places is None else places
    epochs, offsets = np.divmod(step * batch_size + places.astype(np.int64), num_rows)
    rows = np.empty(len(places), np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        rows[here] = _permuted(offsets[here], num_rows, seed, int(epoch))
    return rows, epochs


def _permuted(offsets: np.ndarray, num_rows: int, seed: int, epoch: int) -> np.ndarray:
    if num_rows == 1:
        return np.zeros_like(offsets)
    shuffle_seed = np.array([seed % 2**31, epoch], np.int32)
    with tf.device("/CPU:0"):
        return tf.random.experimental.index_shuffle(offsets, shuffle_seed, num_rows - 1).numpy()


def batch_generator(seed: int, step: int, *stream: int) -> np.random.Generator:
    """A generator keyed by (seed, step); ``stream`` keeps the uses of randomness in one step apart."""
    return np.random.default_rng([seed, step, *stream])


def row_uniforms(seed: int, step: int, stream: int, rows: np.ndarray, width: int) -> np.ndarray:
    """Numbers in [0, 1), float64 (rows, width): those of a row are the same whichever rows are asked for.

    Args:
        seed: of the source.
        step: of the batch.
        stream: keeps the uses of randomness in one step apart; less than 8.
        rows: consecutive numbers of rows in the batch.
        width: numbers a row.
    """
    # Philox gives four numbers for every value of its counter: the ones of the rows before are passed over.
    blocks, rest = divmod(int(rows[0]) * width, 4)
    generator = np.random.Generator(np.random.Philox(key=[seed, step * 8 + stream], counter=blocks))
    return generator.random(rest + len(rows) * width)[rest:].reshape(len(rows), width)


def row_seeds(seed: int, step: int, batch_size: int, rows: np.ndarray) -> np.ndarray:
    """Seeds for dropout, int32 (rows,): another one for every row that is ever seen with this seed.

    Source: Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators", figure 16 (SplitMix64).
    """
    number = np.uint64(step * batch_size + 1) + rows.astype(np.uint64)
    mixed = number * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed * 0xD1342543DE82EF95 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(32)).astype(np.uint32).view(np.int32)
