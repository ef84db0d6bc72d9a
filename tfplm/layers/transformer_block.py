"""One layer of a Transformer, encoder or decoder."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
from keras import KerasTensor

from tfplm.layers.attention import KeysValues, MultiHeadAttention
from tfplm.layers.dropout import Dropout
from tfplm.layers.feed_forward import FeedForward
from tfplm.layers.rematerialization import draw_row_seeds, rematerialized
from tfplm.layers.rotary import Rotation


def build_norm(kind: str, epsilon: float, use_bias: bool = True, **kwargs) -> keras.layers.Layer:
    """A norm over the last axis.

    Args:
        kind: "layer_norm" (Ba et al. 2016) or "rms_norm" (Zhang and Sennrich 2019), which has no bias.
        epsilon: added to the variance.
        use_bias: whether a layer norm has a bias.
        **kwargs: name and dtype of the layer.
    """
    if kind == "rms_norm":
        return keras.layers.RMSNormalization(epsilon=epsilon, **kwargs)
    return keras.layers.LayerNormalization(epsilon=epsilon, center=use_bias, **kwargs)


class BlockCache(NamedTuple):
    """What a decoder's block keeps of the tokens that it has read."""

    own: KeysValues
    of_source: KeysValues | None = None


@keras.saving.register_keras_serializable(package="tfplm")
class TransformerBlock(keras.layers.Layer):
    """Self-attention, attention to a source if wanted, and feed-forward, each with a residual connection and a norm.

    Source: Vaswani et al. 2017, section 3.1, for the norm after the sum; Xiong et al. 2020, "On Layer Normalization in
    the Transformer Architecture", for the norm before each part (``norm_first``).

    Args:
        num_heads: number of attention heads; must divide the width of the input unless ``head_dim`` is given.
        intermediate_dim: width inside the feed-forward part.
        activation: of the feed-forward part, see `FeedForward`.
        dropout: rate on the output of every part.
        attention_dropout: rate on the attention scores.
        norm_first: whether the norm comes before each part rather than after the sum.
        layer_norm_epsilon: added to the variance.
        kernel_initializer: of every dense layer.
        norm: "layer_norm" or "rms_norm", see `build_norm`.
        head_dim: width of a head; None: of the input, divided by ``num_heads``.
        num_key_value_heads, use_bias, scale_scores, qkv_bias: see `MultiHeadAttention`; ``use_bias`` is for every part.
        residual_initializer: of the last dense layer of every part; None: ``kernel_initializer``.
        intermediate_dropout: rate inside the feed-forward part.
        has_source: whether there is attention to a source.
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
        norm: str = "layer_norm",
        head_dim: int | None = None,
        num_key_value_heads: int | None = None,
        use_bias: bool = True,
        scale_scores: bool = True,
        residual_initializer=None,
        intermediate_dropout: float = 0.0,
        has_source: bool = False,
        qkv_bias: bool | None = None,
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
        self.norm = norm
        self.head_dim = head_dim
        self.num_key_value_heads = num_key_value_heads
        self.use_bias = use_bias
        self.scale_scores = scale_scores
        self.residual_initializer = keras.initializers.get(residual_initializer)
        self.intermediate_dropout = intermediate_dropout
        self.has_source = has_source
        self.qkv_bias = qkv_bias

    def build(self, input_shape):
        policy = self.dtype_policy
        self.attention = self._attention(input_shape[-1], "attention")
        self.attention_dropout_layer = Dropout(self.dropout_rate, dtype=policy, name="attention_dropout")
        self.attention_norm = self._norm("attention_norm")
        layers = [self.attention, self.attention_norm]
        if self.has_source:
            self.source_attention = self._attention(input_shape[-1], "source_attention", is_cross=True)
            self.source_dropout_layer = Dropout(self.dropout_rate, dtype=policy, name="source_dropout")
            self.source_norm = self._norm("source_norm")
            layers += [self.source_attention, self.source_norm]
        self.feed_forward = FeedForward(
            self.intermediate_dim,
            self.activation,
            self.dropout_rate,
            self.kernel_initializer.clone(),
            use_bias=self.use_bias,
            residual_initializer=self.residual_initializer,
            intermediate_dropout=self.intermediate_dropout,
            dtype=policy,
            name="feed_forward",
        )
        self.feed_forward_norm = self._norm("feed_forward_norm")
        for layer in (*layers, self.feed_forward, self.feed_forward_norm):
            layer.build(input_shape)

    def _attention(self, hidden_dim: int, name: str, is_cross: bool = False) -> MultiHeadAttention:
        if self.head_dim is None and hidden_dim % self.num_heads:
            raise ValueError(f"got an input of width {hidden_dim}, expected a multiple of num_heads={self.num_heads}")
        return MultiHeadAttention(
            self.num_heads,
            self.head_dim or hidden_dim // self.num_heads,
            self.attention_dropout,
            self.kernel_initializer.clone(),
            num_key_value_heads=self.num_key_value_heads,
            use_bias=self.use_bias,
            scale_scores=self.scale_scores,
            residual_initializer=self.residual_initializer,
            is_cross=is_cross,
            qkv_bias=self.qkv_bias,
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name: str) -> keras.layers.Layer:
        return build_norm(self.norm, self.layer_norm_epsilon, self.use_bias, dtype=self.dtype_policy, name=name)

    def call(
        self,
        hidden,
        attention_mask=None,
        source=None,
        source_mask=None,
        row_seeds=None,
        training=None,
        return_attention_scores=False,
        rotation: Rotation | None = None,
    ):
        """Maps ``hidden`` to the same shape.

        Args:
            hidden: (batch, sequence, hidden_dim) float.
            attention_mask: bool mask or float bias, see `MultiHeadAttention`.
            source: (batch, source, dim) float, with ``has_source``.
            source_mask: bool mask or float bias of the attention to it.
            row_seeds: (batch,) int32 for dropout, see `Dropout`.
            training: whether dropout is applied.
            return_attention_scores: whether to return the scores of the self-attention as well.
            rotation: of the positions, with rotary positions.

        Returns:
            (batch, sequence, hidden_dim), and on request the scores (batch, heads, query, key).
        """
        scores = None

        def attend(normed: KerasTensor) -> KerasTensor:
            nonlocal scores
            if not return_attention_scores:
                return self.attention(normed, attention_mask, row_seeds, training=training, rotation=rotation)
            attended, scores = self.attention(
                normed, attention_mask, row_seeds, training=training, return_attention_scores=True, rotation=rotation
            )
            return attended

        def attend_to_source(normed: KerasTensor) -> KerasTensor:
            return self.source_attention(normed, source_mask, row_seeds, training=training, source=source)

        hidden = self._apply(hidden, attend, attend_to_source, row_seeds, training)
        return (hidden, scores) if return_attention_scores else hidden

    def prefill(
        self,
        hidden: KerasTensor,
        attention_mask: KerasTensor,
        source: KerasTensor | None = None,
        source_mask: KerasTensor | None = None,
        rotation: Rotation | None = None,
    ) -> tuple[KerasTensor, BlockCache]:
        """As `call` without dropout; also gives what to keep of these tokens, and of the source."""
        own = None
        of_source = self.source_attention.read_source(source) if self.has_source else None

        def attend(normed: KerasTensor) -> KerasTensor:
            nonlocal own
            query, own = self.attention.read(normed, rotation)
            return self.attention.attend(query, own, attention_mask)[0]

        def attend_to_source(normed: KerasTensor) -> KerasTensor:
            return self.source_attention.decode_source(normed, of_source, source_mask)

        hidden = self._apply(hidden, attend, attend_to_source)
        return hidden, BlockCache(own, of_source)

    def decode(
        self,
        hidden: KerasTensor,
        cache: BlockCache,
        index: KerasTensor,
        attention_mask: KerasTensor,
        source_mask: KerasTensor | None = None,
        rotation: Rotation | None = None,
    ) -> tuple[KerasTensor, BlockCache]:
        """Maps new tokens (batch, new tokens, hidden_dim); see `MultiHeadAttention.decode`."""
        own = None

        def attend(normed: KerasTensor) -> KerasTensor:
            nonlocal own
            attended, own = self.attention.decode(normed, cache.own, index, attention_mask, rotation)
            return attended

        def attend_to_source(normed: KerasTensor) -> KerasTensor:
            return self.source_attention.decode_source(normed, cache.of_source, source_mask)

        hidden = self._apply(hidden, attend, attend_to_source)
        return hidden, BlockCache(own, cache.of_source)

    def _apply(
        self,
        hidden: KerasTensor,
        attend: Callable[[KerasTensor], KerasTensor],
        attend_to_source: Callable[[KerasTensor], KerasTensor],
        row_seeds: KerasTensor | None = None,
        training: bool | None = False,
    ) -> KerasTensor:
        """The parts one after the other, with their norms and residual connections."""

        def attend_and_drop(normed: KerasTensor) -> KerasTensor:
            return self.attention_dropout_layer(attend(normed), row_seeds, training=training)

        def attend_to_source_and_drop(normed: KerasTensor) -> KerasTensor:
            return self.source_dropout_layer(attend_to_source(normed), row_seeds, training=training)

        def feed_forward(normed: KerasTensor) -> KerasTensor:
            return self.feed_forward(normed, row_seeds, training=training)

        hidden = self._with_residual(hidden, attend_and_drop, self.attention_norm)
        if self.has_source:
            hidden = self._with_residual(hidden, attend_to_source_and_drop, self.source_norm)
        return self._with_residual(hidden, feed_forward, self.feed_forward_norm)

    def _with_residual(
        self, hidden: KerasTensor, part: Callable[[KerasTensor], KerasTensor], norm: keras.layers.Layer
    ) -> KerasTensor:
        return hidden + part(norm(hidden)) if self.norm_first else norm(hidden + part(hidden))

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
            "norm": self.norm,
            "head_dim": self.head_dim,
            "num_key_value_heads": self.num_key_value_heads,
            "use_bias": self.use_bias,
            "scale_scores": self.scale_scores,
            "residual_initializer": keras.initializers.serialize(self.residual_initializer)
            if self.residual_initializer
            else None,
            "intermediate_dropout": self.intermediate_dropout,
            "has_source": self.has_source,
            "qkv_bias": self.qkv_bias,
        }


def run_blocks(
    blocks: Sequence[TransformerBlock],
    hidden: KerasTensor,
    attention_bias: KerasTensor,
    row_seeds: KerasTensor | None,
    training: bool | None,
    rematerialize: bool = False,
    return_attention_scores: bool = False,
    rotation: Rotation | None = None,
) -> tuple[list[KerasTensor], list[KerasTensor]]:
    """Runs blocks without a source one after the other.

    Args:
        blocks: at least one.
        hidden: (batch, sequence, hidden_dim) float.
        attention_bias: float, of the attention scores.
        row_seeds: (batch,) int32 for dropout.
        training: whether dropout is applied.
        rematerialize: whether each block is computed again for its gradient, in training and without scores.
        return_attention_scores: whether to return the scores.
        rotation: of the positions, with rotary positions.

    Returns:
        ``hidden`` and what every block gives, and on request the scores of every block (batch, heads, query, key).
    """
    rematerialize = bool(rematerialize and training and not return_attention_scores)
    if rematerialize and row_seeds is None:
        row_seeds = draw_row_seeds(
            (dropout for block in blocks for dropout in (block.attention_dropout_layer, block.attention.dropout)),
            hidden,
        )
    hidden_states, attention_scores = [hidden], []
    for block in blocks:
        run = rematerialized(block) if rematerialize else block
        options = {"return_attention_scores": True} if return_attention_scores else {}
        result = run(
            hidden_states[-1], attention_bias, row_seeds=row_seeds, training=training, rotation=rotation, **options
        )
        if return_attention_scores:
            result, scores = result
            attention_scores.append(scores)
        hidden_states.append(result)
    return hidden_states, attention_scores
