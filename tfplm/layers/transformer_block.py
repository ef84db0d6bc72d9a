"""One layer of a Transformer encoder."""

import keras

from tfplm.layers.attention import MultiHeadAttention
from tfplm.layers.dropout import Dropout
from tfplm.layers.feed_forward import FeedForward


@keras.saving.register_keras_serializable(package="tfplm")
class TransformerBlock(keras.layers.Layer):
    """Self-attention and feed-forward, each with a residual connection and a layer norm.

    Source: Vaswani et al. 2017, section 3.1, for the norm after the sum; Xiong et al. 2020, "On Layer Normalization in
    the Transformer Architecture", for the norm before each part (``norm_first``).

    Args:
        num_heads: number of attention heads; must divide the width of the input.
        intermediate_dim: width inside the feed-forward part.
        activation: of the feed-forward part, see `FeedForward`.
        dropout: rate on the output of both parts.
        attention_dropout: rate on the attention scores.
        norm_first: whether the norm comes before each part rather than after the sum.
        layer_norm_epsilon: added to the variance.
        kernel_initializer: of every dense layer.
    """

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm_first: bool = False,
        layer_norm_epsilon: float = 1e-12,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout_rate = dropout
        self.attention_dropout = attention_dropout
        self.norm_first = norm_first
        self.layer_norm_epsilon = layer_norm_epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        hidden_dim, policy = input_shape[-1], self.dtype_policy
        if hidden_dim % self.num_heads:
            raise ValueError(f"got an input of width {hidden_dim}, expected a multiple of num_heads={self.num_heads}")
        self.attention = MultiHeadAttention(
            self.num_heads,
            hidden_dim // self.num_heads,
            self.attention_dropout,
            self.kernel_initializer.clone(),
            dtype=policy,
            name="attention",
        )
        self.attention_dropout_layer = Dropout(self.dropout_rate, dtype=policy, name="attention_dropout")
        self.attention_norm = self._norm("attention_norm")
        self.feed_forward = FeedForward(
            self.intermediate_dim,
            self.activation,
            self.dropout_rate,
            self.kernel_initializer.clone(),
            dtype=policy,
            name="feed_forward",
        )
        self.feed_forward_norm = self._norm("feed_forward_norm")
        for layer in (self.attention, self.attention_norm, self.feed_forward, self.feed_forward_norm):
            layer.build(input_shape)

    def _norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name)

    def call(self, hidden, attention_mask=None, row_seeds=None, training=None, return_attention_scores=False):
        """Maps ``hidden`` to the same shape.

        Args:
            hidden: (batch, sequence, hidden_dim) float.
            attention_mask: bool mask or float bias, see `MultiHeadAttention`.
            row_seeds: (batch,) int32 for dropout, see `Dropout`.
            training: whether dropout is applied.
            return_attention_scores: whether to return the scores as well.

        Returns:
            (batch, sequence, hidden_dim), and on request the scores (batch, heads, query, key).
        """
        attended = self.attention(
            self.attention_norm(hidden) if self.norm_first else hidden,
            attention_mask=attention_mask,
            row_seeds=row_seeds,
            training=training,
            return_attention_scores=return_attention_scores,
        )
        attended, scores = attended if return_attention_scores else (attended, None)
        hidden = hidden + self.attention_dropout_layer(attended, row_seeds, training=training)
        if self.norm_first:
            hidden = hidden + self.feed_forward(self.feed_forward_norm(hidden), row_seeds, training=training)
        else:
            hidden = self.attention_norm(hidden)
            hidden = self.feed_forward_norm(hidden + self.feed_forward(hidden, row_seeds, training=training))
        return (hidden, scores) if return_attention_scores else hidden

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout_rate,
            "attention_dropout": self.attention_dropout,
            "norm_first": self.norm_first,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
