"""Positions as a learned number for each head and distance, added to the attention scores."""

import keras
import numpy as np
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="tfplm")
class RelativePositionBias(keras.layers.Layer):
    """A learned bias a head for each bucket of distances between key and query.

    Near distances have a bucket each, far ones share buckets that widen logarithmically up to ``max_distance``; half
    of the buckets look back and half ahead, or all of them back.

    Source: Raffel et al. 2020, "T5", section 2.1.

    Args:
        num_heads: number of heads.
        num_buckets: of both directions together, even.
        max_distance: from here on all distances share the last bucket.
        embeddings_initializer: of the matrix (num_buckets, num_heads).
        bidirectional: whether keys behind the query have buckets of their own; a decoder, which sees none, needs none.

    Example:
        >>> RelativePositionBias(num_heads=4)(keras.ops.ones((2, 16), "int32")).shape
        TensorShape([1, 4, 16, 16])
    """

    def __init__(
        self,
        num_heads: int,
        num_buckets: int = 32,
        max_distance: int = 128,
        embeddings_initializer="zeros",
        bidirectional: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_buckets < 4 or num_buckets % 2:
            raise ValueError(f"got num_buckets={num_buckets}, expected an even number of at least 4")
        if max_distance <= num_buckets // 4:
            raise ValueError(f"got max_distance={max_distance}, expected more than num_buckets / 4")
        self.num_heads = num_heads
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.bidirectional = bidirectional

    def build(self, input_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.num_buckets, self.num_heads),
            initializer=self.embeddings_initializer,
        )

    def call(self, tokens: KerasTensor) -> KerasTensor:
        """Gives the bias (1, heads, query, key) of (batch, sequence, …), of which only the static length is taken."""
        positions = np.arange(tokens.shape[1])
        bias = self._of_distances(positions[None, :] - positions[:, None])  # (query, key, heads)
        return ops.expand_dims(ops.transpose(bias, (2, 0, 1)), 0)

    def of_query(self, index: KerasTensor, length: int) -> KerasTensor:
        """The bias (1, heads, 1, length) of one query in column ``index``, an int32 scalar, and ``length`` keys."""
        backwards = self._of_distances(-np.arange(length))  # (distance, heads)
        distances = ops.maximum(index - np.arange(length, dtype="int32"), 0)  # a decoder does not look ahead
        return ops.transpose(ops.take(backwards, distances, axis=0))[None, :, None, :]

    def _of_distances(self, distances: np.ndarray) -> KerasTensor:
        return ops.take(ops.cast(self.embeddings, self.compute_dtype), self.bucket(distances), axis=0)

    def bucket(self, distances: np.ndarray) -> np.ndarray:
        """Bucket numbers, int32, of distances key − query of any shape."""
        of_direction = self.num_buckets // 2 if self.bidirectional else self.num_buckets
        exact = of_direction // 2
        size = np.abs(distances) if self.bidirectional else np.maximum(-distances, 0)
        widening = np.log(np.maximum(size, 1) / exact) / np.log(self.max_distance / exact) * (of_direction - exact)
        far = np.minimum(exact + np.maximum(widening, 0).astype(np.int32), of_direction - 1)
        ahead = (distances > 0) & self.bidirectional
        return (np.where(size < exact, size, far) + np.where(ahead, of_direction, 0)).astype(np.int32)

    def compute_output_shape(self, tokens_shape):
        return (1, self.num_heads, tokens_shape[1], tokens_shape[1])

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_buckets": self.num_buckets,
            "max_distance": self.max_distance,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "bidirectional": self.bidirectional,
        }
