"""Multi-head self-attention."""

import keras
from keras import KerasTensor, ops

from tfplm.layers.dropout import Dropout
from tfplm.layers.masks import attention_bias


@keras.saving.register_keras_serializable(package="tfplm")
class MultiHeadAttention(keras.layers.Layer):
    """Self-attention with one projection for queries, keys and values.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.

    Args:
        num_heads: number of heads.
        head_dim: width of each head.
        dropout: rate on the attention scores, after the softmax.
        kernel_initializer: of both projections.

    Example:
        >>> layer = MultiHeadAttention(num_heads=4, head_dim=64)
        >>> layer(keras.random.normal((2, 8, 256))).shape
        TensorShape([2, 8, 256])
    """

    def __init__(
        self,
        num_heads: int,
        head_dim: int,
        dropout: float = 0.0,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_heads < 1 or head_dim < 1:
            raise ValueError(f"got num_heads={num_heads} and head_dim={head_dim}, expected both to be at least 1")
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.dropout_rate = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        hidden_dim, inner_dim = input_shape[-1], self.num_heads * self.head_dim
        self.qkv = self._projection(3 * inner_dim, "qkv")
        self.qkv.build(input_shape)
        self.dropout = Dropout(self.dropout_rate, dtype=self.dtype_policy, name="dropout")
        self.output_projection = self._projection(hidden_dim, "output")
        self.output_projection.build((*input_shape[:-1], inner_dim))

    def _projection(self, units: int, name: str) -> keras.layers.Dense:
        initializer = self.kernel_initializer.clone()  # a seeded initializer draws the same values twice
        return keras.layers.Dense(units, kernel_initializer=initializer, dtype=self.dtype_policy, name=name)

    def call(self, hidden, attention_mask=None, row_seeds=None, training=None, return_attention_scores=False):
        """Attends from every position of ``hidden`` to every position that the mask allows.

        Args:
            hidden: (batch, sequence, hidden_dim) float.
            attention_mask: broadcasts to (batch, heads, query, key): bool, True where the query may see the key;
                or float, taken as the bias that `tfplm.layers.masks.attention_bias` made of such a mask.
            row_seeds: (batch,) int32 for dropout, see `Dropout`.
            training: whether dropout is applied.
            return_attention_scores: whether to return the scores as well.

        Returns:
            (batch, sequence, hidden_dim), and on request the scores after softmax and before dropout,
            (batch, heads, query, key).
        """
        query, key, value = self._split_heads(self.qkv(hidden))
        scores = self._attention_scores(query, key, attention_mask)
        context = ops.matmul(
            self.dropout(scores, row_seeds, training=training), value
        )  # (batch, heads, query, head_dim)
        context = ops.transpose(context, (0, 2, 1, 3))
        context = ops.reshape(context, (*ops.shape(hidden)[:2], self.num_heads * self.head_dim))
        output = self.output_projection(context)
        return (output, scores) if return_attention_scores else output

    def _split_heads(self, qkv: KerasTensor) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
        qkv = ops.reshape(qkv, (*ops.shape(qkv)[:2], 3, self.num_heads, self.head_dim))
        qkv = ops.transpose(qkv, (2, 0, 3, 1, 4))  # (3, batch, heads, sequence, head_dim)
        query, key, value = ops.unstack(qkv, num=3)  # its gradient is one copy; that of three slices fills in zeros
        return query, key, value

    def _attention_scores(self, query: KerasTensor, key: KerasTensor, mask: KerasTensor | None) -> KerasTensor:
        query = ops.multiply(query, ops.cast(self.head_dim**-0.5, query.dtype))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # (batch, heads, query, key)
        if mask is not None:
            if keras.backend.standardize_dtype(mask.dtype) == "bool":
                mask = attention_bias(mask, self.compute_dtype)
            scores = ops.add(scores, mask)
        return ops.cast(ops.softmax(ops.cast(scores, "float32")), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "dropout": self.dropout_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
