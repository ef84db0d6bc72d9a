"""Positions as a learned number for each head and distance, added to the attention scores."""

import keras
import numpy as np
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="tfplm")
class RelativePositionBias(keras.layers.Layer):
    """A learned bias a head for each bucket of distances between key and query.

    Near distances have a bucket each, far ones share buckets that widen logarithmically up to ``max_distance``; half
    of the buckets look back and half ahead.

    Source: Raffel et al. 2020, "T5", section 2.1.

    Args:
        num_heads: number of heads.
        num_buckets: of both directions together, even.
        max_distance: from here on all distances share the last bucket.
        embeddings_initializer: of the matrix (num_buckets, num_heads).

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

    def build(self, input_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.num_buckets, self.num_heads),
            initializer=self.embeddings_initializer,
        )

    def call(self, tokens: KerasTensor) -> KerasTensor:
        """Gives the bias (1, heads, query, key) of (batch, sequence, …), of which only the static length is taken."""
        positions = np.arange(tokens.shape[1])
        buckets = self.bucket(positions[None, :] - positions[:, None])  # (query, key)
        bias = ops.take(ops.cast(self.embeddings, self.compute_dtype), buckets, axis=0)  # (query, key, heads)
        return ops.expand_dims(ops.transpose(bias, (2, 0, 1)), 0)

    def bucket(self, distances: np.ndarray) -> np.ndarray:
        """Bucket numbers, int32, of distances key − query of any shape."""
        half = self.num_buckets // 2
        exact = half // 2
        size = np.abs(distances)
        widening = np.log(np.maximum(size, 1) / exact) / np.log(self.max_distance / exact) * (half - exact)
        far = np.minimum(exact + np.maximum(widening, 0).astype(np.int32), half - 1)
        return (np.where(size < exact, size, far) + np.where(distances > 0, half, 0)).astype(np.int32)

    def compute_output_shape(self, tokens_shape):
        return (1, self.num_heads, tokens_shape[1], tokens_shape[1])

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_buckets": self.num_buckets,
            "max_distance": self.max_distance,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
