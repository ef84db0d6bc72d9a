"""Batches that are a function of (seed, step): a pipeline can start at any step at the same cost."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import tensorflow as tf

Batch = tuple[dict[str, np.ndarray], Any, Any]  # features, targets, sample weights


class BatchSource(ABC):
    """A source of batches with random access.

    Subclasses give ``batch(step)``: features, targets and sample weights with the same shapes at every step.
    """

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """The batch of a step: a pure function of the source's seed and ``step``."""

    def dataset(self, start: int, stop: int, parallel_calls: int = 2) -> tf.data.Dataset:
        """The batches of the steps from ``start`` up to ``stop`` in order, prefetched, for ``model.fit``."""
        example = self.batch(start)
        leaves = tf.nest.flatten(example)
        dtypes = [tf.as_dtype(leaf.dtype) for leaf in leaves]

        def load(step):
            flat = tf.numpy_function(lambda s: tf.nest.flatten(self.batch(int(s))), [step], dtypes, stateful=False)
            for tensor, leaf in zip(flat, leaves, strict=True):
                tensor.set_shape(leaf.shape)
            return tf.nest.pack_sequence_as(example, flat)

        steps = tf.data.Dataset.range(start, stop)
        return steps.map(load, num_parallel_calls=parallel_calls, deterministic=True).prefetch(4)


def shuffled_rows(step: int, batch_size: int, num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers and epochs of the batch at ``step``: a fresh permutation of all rows every epoch, never stored.

    Returns:
        rows: int64 (batch_size,), each in [0, num_rows).
        epochs: int64 (batch_size,).
    """
    positions = np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)
    epochs, offsets = np.divmod(positions, num_rows)
    rows = np.empty(batch_size, np.int64)
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


def batch_generator(seed: int, step: int, stream: int) -> np.random.Generator:
    """A generator keyed by (seed, step); ``stream`` keeps the uses of randomness in one step apart."""
    return np.random.default_rng([seed, step, stream])
