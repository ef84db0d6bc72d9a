"""Tokens, segments and positions as vectors."""

import math

import keras
import numpy as np
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="tfplm")
class TokenEmbedding(keras.layers.Layer):
    """A vector for every id, and the way back: the same matrix as output weights.

    Source: Press and Wolf 2017, "Using the Output Embedding to Improve Language Models".

    Args:
        vocabulary_size: number of ids.
        embedding_dim: width of a vector.
        embeddings_initializer: of the matrix (vocabulary_size, embedding_dim).
    """

    def __init__(self, vocabulary_size: int, embedding_dim: int, embeddings_initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        if vocabulary_size < 1 or embedding_dim < 1:
            raise ValueError(
                f"got vocabulary_size={vocabulary_size} and embedding_dim={embedding_dim}, expected at least 1 of both"
            )
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.vocabulary_size, self.embedding_dim),
            initializer=self.embeddings_initializer,
            autocast=False,  # the rows are cast after the lookup, not the whole matrix before it
        )

    def call(self, ids):
        """Looks up (…) integers; returns (…, embedding_dim)."""
        return ops.cast(ops.take(self.embeddings, ids, axis=0), self.compute_dtype)

    def output_weights(self) -> KerasTensor:
        """The matrix that `project` multiplies with: (embedding_dim, vocabulary_size) in the compute dtype."""
        return ops.transpose(ops.cast(self.embeddings, self.compute_dtype))

    def project(self, hidden: KerasTensor, output_weights: KerasTensor | None = None) -> KerasTensor:
        """Scores every id of the vocabulary.

        Args:
            hidden: (batch, positions, embedding_dim).
            output_weights: what `output_weights` gave, where it was computed before; None computes it here.

        Returns:
            (batch, positions, vocabulary_size) in the compute dtype.
        """
        batch, positions = ops.shape(hidden)[:2]
        rows = ops.reshape(ops.cast(hidden, self.compute_dtype), (-1, self.embedding_dim))  # one plain product
        logits = ops.matmul(rows, self.output_weights() if output_weights is None else output_weights)
        return ops.reshape(logits, (batch, positions, self.vocabulary_size))

    def compute_output_shape(self, ids_shape):
        return (*ids_shape, self.embedding_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }


@keras.saving.register_keras_serializable(package="tfplm")
class SegmentEmbedding(keras.layers.Layer):
    """A vector for each of a few kinds of text, as a product with one-hot rows: its gradient is one product too.

    Source: Devlin et al. 2019, "BERT", section 3.

    Args:
        num_segments: number of segment ids.
        embedding_dim: width of a vector.
        embeddings_initializer: of the matrix (num_segments, embedding_dim).
    """

    def __init__(self, num_segments: int, embedding_dim: int, embeddings_initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        self.num_segments = num_segments
        self.embedding_dim = embedding_dim
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.num_segments, self.embedding_dim),
            initializer=self.embeddings_initializer,
        )

    def call(self, segment_ids=None):
        """Looks up (batch, sequence) integers; without any, returns segment 0 as (1, 1, embedding_dim)."""
        embeddings = ops.cast(self.embeddings, self.compute_dtype)
        if segment_ids is None:
            return ops.reshape(embeddings[0], (1, 1, self.embedding_dim))
        return ops.matmul(ops.one_hot(segment_ids, self.num_segments, dtype=self.compute_dtype), embeddings)

    def compute_output_shape(self, ids_shape=None):
        return (1, 1, self.embedding_dim) if ids_shape is None else (*ids_shape, self.embedding_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "num_segments": self.num_segments,
            "embedding_dim": self.embedding_dim,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }


class _PositionEmbedding(keras.layers.Layer):
    """What both kinds of positions share: rows 0 to sequence - 1, or those of given position ids."""

    def __init__(self, max_sequence_length: int, embedding_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.max_sequence_length = max_sequence_length
        self.embedding_dim = embedding_dim

    def call(self, tokens, position_ids=None):
        """Gives the vectors of positions.

        Args:
            tokens: (batch, sequence, …), of which only the static length of the sequence is taken.
            position_ids: (batch, sequence) integers, or None for 0, 1, 2, …

        Returns:
            (batch, sequence, embedding_dim), or (1, sequence, embedding_dim) without position_ids.
        """
        sequence_length = tokens.shape[1]
        if sequence_length > self.max_sequence_length:
            raise ValueError(
                f"got a sequence of {sequence_length}, expected at most max_sequence_length {self.max_sequence_length}"
            )
        table = ops.cast(self._table(), self.compute_dtype)
        if position_ids is None:
            return ops.expand_dims(table[:sequence_length], 0)
        return ops.take(table, position_ids, axis=0)

    def _table(self) -> KerasTensor:
        raise NotImplementedError

    def compute_output_shape(self, tokens_shape, position_ids_shape=None):
        return (1 if position_ids_shape is None else position_ids_shape[0], tokens_shape[1], self.embedding_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "max_sequence_length": self.max_sequence_length,
            "embedding_dim": self.embedding_dim,
        }


@keras.saving.register_keras_serializable(package="tfplm")
class LearnedPositionEmbedding(_PositionEmbedding):
    """A learned vector for every position. Source: Devlin et al. 2019, "BERT", section 3.

    Args:
        max_sequence_length: number of positions.
        embedding_dim: width of a vector.
        embeddings_initializer: of the matrix (max_sequence_length, embedding_dim).
    """

    def __init__(self, max_sequence_length: int, embedding_dim: int, embeddings_initializer="uniform", **kwargs):
        super().__init__(max_sequence_length, embedding_dim, **kwargs)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.max_sequence_length, self.embedding_dim),
            initializer=self.embeddings_initializer,
        )

    def _table(self) -> KerasTensor:
        return self.embeddings

    def get_config(self):
        initializer = keras.initializers.serialize(self.embeddings_initializer)
        return {**super().get_config(), "embeddings_initializer": initializer}


@keras.saving.register_keras_serializable(package="tfplm")
class SinusoidalPositionEmbedding(_PositionEmbedding):
    """Sines and cosines of wavelengths from 2π to 20000π; nothing to learn.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.5.

    Args:
        max_sequence_length: number of positions.
        embedding_dim: width of a vector, even.
    """

    def __init__(self, max_sequence_length: int, embedding_dim: int, **kwargs):
        super().__init__(max_sequence_length, embedding_dim, **kwargs)
        if embedding_dim % 2:
            raise ValueError(f"got embedding_dim={embedding_dim}, expected an even number: a sine and a cosine each")

    def build(self, input_shape=None):
        frequencies = np.exp(np.arange(0, self.embedding_dim, 2) * (-math.log(10000.0) / self.embedding_dim))
        angles = np.arange(self.max_sequence_length)[:, None] * frequencies  # (positions, embedding_dim / 2)
        pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
        self._constant = pairs.reshape(self.max_sequence_length, self.embedding_dim).astype("float32")

    def _table(self) -> KerasTensor:
        return ops.convert_to_tensor(self._constant)
