"""Multi-head attention, of a sequence to itself or to another one, at once or token by token."""

from typing import NamedTuple

import keras
from keras import KerasTensor, ops

from tfplm.layers.dropout import Dropout
from tfplm.layers.masks import attention_bias
from tfplm.layers.rotary import Rotation, rotate


class KeysValues(NamedTuple):
    """What attention keeps of the tokens that it has read."""

    keys: KerasTensor  # (batch, key-value heads, length, head_dim)
    values: KerasTensor  # of the same shape


@keras.saving.register_keras_serializable(package="tfplm")
class MultiHeadAttention(keras.layers.Layer):
    """Attention with one projection for queries, keys and values, or to another sequence with one for keys and values.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2; Ainslie et al. 2023, "GQA", for heads that
    share keys and values; Raffel et al. 2020, "T5", for scores that are not scaled.

    Args:
        num_heads: number of heads.
        head_dim: width of each head.
        dropout: rate on the attention scores, after the softmax.
        kernel_initializer: of the projections.
        num_key_value_heads: heads that keys and values have, each for num_heads / num_key_value_heads heads of the
            queries on end; None: ``num_heads``.
        use_bias: whether the projections have biases.
        qkv_bias: whether those of queries, keys and values have; None: as ``use_bias``.
        scale_scores: whether scores are divided by √head_dim. If not, the queries' weights begin so much smaller.
        residual_initializer: of the output projection; None: ``kernel_initializer``.
        is_cross: whether keys and values come from another sequence, the source.

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
        num_key_value_heads: int | None = None,
        use_bias: bool = True,
        scale_scores: bool = True,
        residual_initializer=None,
        is_cross: bool = False,
        qkv_bias: bool | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_heads < 1 or head_dim < 1:
            raise ValueError(f"got num_heads={num_heads} and head_dim={head_dim}, expected both to be at least 1")
        self.num_heads = num_heads
        self.num_key_value_heads = num_key_value_heads or num_heads
        if num_heads % self.num_key_value_heads:
            raise ValueError(f"got {num_heads} heads, expected a multiple of num_key_value_heads={num_key_value_heads}")
        self.head_dim = head_dim
        self.dropout_rate = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.residual_initializer = keras.initializers.get(residual_initializer or self.kernel_initializer)
        self.use_bias = use_bias
        self.scale_scores = scale_scores
        self.is_cross = is_cross
        self.qkv_bias = use_bias if qkv_bias is None else qkv_bias

    def build(self, input_shape):
        hidden_dim, inner_dim = input_shape[-1], self.num_heads * self.head_dim
        num_scaled = 0 if self.scale_scores else inner_dim
        initializer = _ScaledColumns(self.kernel_initializer, num_scaled, self.head_dim**-0.5)
        pairs_dim = 2 * self.num_key_value_heads * self.head_dim
        if self.is_cross:
            self.query = self._projection(inner_dim, "query", initializer, self.qkv_bias)
            self.query.build(input_shape)
            self.key_value = self._projection(pairs_dim, "key_value", self.kernel_initializer, self.qkv_bias)
            self.key_value.build(input_shape)
        else:
            self.qkv = self._projection(inner_dim + pairs_dim, "qkv", initializer, self.qkv_bias)
            self.qkv.build(input_shape)
        self.dropout = Dropout(self.dropout_rate, dtype=self.dtype_policy, name="dropout")
        self.output_projection = self._projection(hidden_dim, "output", self.residual_initializer, self.use_bias)
        self.output_projection.build((*input_shape[:-1], inner_dim))

    def _projection(
        self, units: int, name: str, initializer: keras.initializers.Initializer, use_bias: bool
    ) -> keras.layers.Dense:
        return keras.layers.Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=initializer.clone(),  # a seeded initializer draws the same values twice
            dtype=self.dtype_policy,
            name=name,
        )

    def call(
        self,
        hidden,
        attention_mask=None,
        row_seeds=None,
        training=None,
        return_attention_scores=False,
        rotation: Rotation | None = None,
        source=None,
    ):
        """Attends from every position of ``hidden`` to every position that the mask allows.

        Args:
            hidden: (batch, sequence, hidden_dim) float.
            attention_mask: broadcasts to (batch, heads, query, key): bool, True where the query may see the key;
                or float, taken as the bias that `tfplm.layers.masks.attention_bias` made of such a mask.
            row_seeds: (batch,) int32 for dropout, see `Dropout`.
            training: whether dropout is applied.
            return_attention_scores: whether to return the scores as well.
            rotation: of the positions, with rotary positions.
            source: (batch, source, hidden_dim) float, what is attended to where the layer is for another sequence.

        Returns:
            (batch, sequence, hidden_dim), and on request the scores after softmax and before dropout,
            (batch, heads, query, key).
        """
        if self.is_cross:
            query, kept = self._query(hidden), self.read_source(source)
        else:
            query, kept = self.read(hidden, rotation)
        output, scores = self.attend(query, kept, attention_mask, row_seeds, training)
        return (output, scores) if return_attention_scores else output

    def read(self, hidden: KerasTensor, rotation: Rotation | None = None) -> tuple[KerasTensor, KeysValues]:
        """Queries (batch, heads, sequence, head_dim), and keys and values, of (batch, sequence, hidden_dim)."""
        qkv = self.qkv(hidden)
        if self.num_key_value_heads == self.num_heads:
            query, key, value = self._split_equally(qkv, 3)
        else:
            heads, pairs = self.num_heads * self.head_dim, self.num_key_value_heads * self.head_dim
            query, key, value = map(self._to_heads, ops.split(qkv, [heads, heads + pairs], axis=-1))
        if rotation is not None:
            query, key = rotate(query, rotation), rotate(key, rotation)
        return query, KeysValues(key, value)

    def read_source(self, source: KerasTensor) -> KeysValues:
        """Keys and values of another sequence (batch, source, hidden_dim)."""
        return KeysValues(*self._split_equally(self.key_value(source), 2))

    def attend(
        self,
        query: KerasTensor,
        kept: KeysValues,
        attention_mask: KerasTensor | None,
        row_seeds: KerasTensor | None = None,
        training: bool | None = False,
    ) -> tuple[KerasTensor, KerasTensor]:
        """Output (batch, sequence, hidden_dim) and scores (batch, heads, query, key); arguments as of `call`."""
        scores = self._attention_scores(query, kept.keys, attention_mask)
        weights = self.dropout(scores, row_seeds, training=training)
        context = self._ungroup(ops.matmul(self._group(weights), kept.values))  # (batch, heads, query, head_dim)
        batch, _, length, _ = ops.shape(context)
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (batch, length, self.num_heads * self.head_dim))
        return self.output_projection(context), scores

    def decode(
        self,
        hidden: KerasTensor,
        kept: KeysValues,
        index: KerasTensor,
        attention_mask: KerasTensor | None,
        rotation: Rotation | None = None,
    ) -> tuple[KerasTensor, KeysValues]:
        """Attends from new tokens to themselves and those before.

        Args:
            hidden: (batch, new tokens, hidden_dim).
            kept: of ``length`` columns.
            index: int32 scalar, the column of the first new token.
            attention_mask: broadcasts to (batch, heads, new tokens, length).
            rotation: of the new tokens' positions.

        Returns:
            (batch, new tokens, hidden_dim), and what is kept now.
        """
        query, new = self.read(hidden, rotation)
        kept = KeysValues(*(ops.slice_update(old, (0, 0, index, 0), part) for old, part in zip(kept, new, strict=True)))
        return self.attend(query, kept, attention_mask)[0], kept

    def decode_source(self, hidden: KerasTensor, kept: KeysValues, attention_mask: KerasTensor | None) -> KerasTensor:
        """Attends from new tokens (batch, new tokens, hidden_dim) to the source that `read_source` read."""
        return self.attend(self._query(hidden), kept, attention_mask)[0]

    def _query(self, hidden: KerasTensor) -> KerasTensor:
        return self._to_heads(self.query(hidden))

    def _split_equally(self, projected: KerasTensor, count: int) -> tuple[KerasTensor, ...]:
        projected = ops.reshape(projected, (*ops.shape(projected)[:2], count, self.num_key_value_heads, self.head_dim))
        projected = ops.transpose(projected, (2, 0, 3, 1, 4))  # (count, batch, heads, sequence, head_dim)
        return tuple(ops.unstack(projected, num=count))  # its gradient is one copy; that of slices fills in zeros

    def _to_heads(self, projected: KerasTensor) -> KerasTensor:
        """(batch, sequence, heads · head_dim) to (batch, heads, sequence, head_dim)."""
        num_heads = projected.shape[-1] // self.head_dim
        projected = ops.reshape(projected, (*ops.shape(projected)[:2], num_heads, self.head_dim))
        return ops.transpose(projected, (0, 2, 1, 3))

    def _attention_scores(self, query: KerasTensor, key: KerasTensor, mask: KerasTensor | None) -> KerasTensor:
        if self.scale_scores:
            query = ops.multiply(query, ops.cast(self.head_dim**-0.5, query.dtype))
        scores = self._ungroup(ops.matmul(self._group(query), ops.transpose(key, (0, 1, 3, 2))))
        if mask is not None:  # scores are (batch, heads, query, key)
            if keras.backend.standardize_dtype(mask.dtype) == "bool":
                mask = attention_bias(mask, self.compute_dtype)
            scores = scores + mask  # ops.add takes a column as a bias along another axis (Keras 3.15, TensorFlow)
        return ops.cast(ops.softmax(ops.cast(scores, "float32")), self.compute_dtype)

    def _group(self, of_heads: KerasTensor) -> KerasTensor:
        """(batch, heads, query, …) to (batch, key-value heads, heads of each · query, …): one product a shared head."""
        if self.num_key_value_heads == self.num_heads:
            return of_heads
        batch, _, _, width = ops.shape(of_heads)
        length = of_heads.shape[2]  # written out where it is static: beside a batch of unknown size -1 would lose it
        grouped = -1 if length is None else length * self.num_heads // self.num_key_value_heads
        return ops.reshape(of_heads, (batch, self.num_key_value_heads, grouped, width))

    def _ungroup(self, grouped: KerasTensor) -> KerasTensor:
        """The way back from `_group`."""
        if self.num_key_value_heads == self.num_heads:
            return grouped
        batch, _, _, width = ops.shape(grouped)
        length = grouped.shape[2]
        per_head = -1 if length is None else length * self.num_key_value_heads // self.num_heads
        return ops.reshape(grouped, (batch, self.num_heads, per_head, width))

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "dropout": self.dropout_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "num_key_value_heads": self.num_key_value_heads,
            "use_bias": self.use_bias,
            "scale_scores": self.scale_scores,
            "residual_initializer": keras.initializers.serialize(self.residual_initializer),
            "is_cross": self.is_cross,
            "qkv_bias": self.qkv_bias,
        }


class _ScaledColumns(keras.initializers.Initializer):
    """Another initializer's values, those of the first columns times a factor."""

    def __init__(self, initializer: keras.initializers.Initializer, num_scaled: int, factor: float):
        self.initializer, self.num_scaled, self.factor = initializer, num_scaled, factor

    def __call__(self, shape, dtype=None):
        values = self.initializer(shape, dtype=dtype)
        scaled = values[:, : self.num_scaled] * self.factor
        return ops.concatenate([scaled, values[:, self.num_scaled :]], axis=1) if self.num_scaled else values

    def clone(self) -> "_ScaledColumns":
        return _ScaledColumns(self.initializer.clone(), self.num_scaled, self.factor)
