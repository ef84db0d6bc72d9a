"""The position-wise half of a Transformer block."""

import math

import keras
from keras import KerasTensor, ops

from tfplm.layers.dropout import Dropout
from tfplm.layers.kernels import kernel


def activate(x: KerasTensor, activation: str, training: bool | None = None) -> KerasTensor:
    """Applies a non-linearity to every element.

    Args:
        x: float.
        activation: "gelu" (exact, by the error function as in the original BERT), "gelu_tanh" (its approximation by
            tanh), "silu", "relu" or "tanh". Source: Hendrycks and Gimpel 2016 for GELU and SiLU.
        training: whether a gradient will be asked for; the value is the same.

    Returns:
        Of the shape and dtype of ``x``.
    """
    if activation == "relu":
        return ops.relu(x)
    if activation == "gelu_tanh":
        return ops.gelu(x, approximate=True)
    if activation == "silu":
        return ops.silu(x)
    if activation == "tanh":
        return ops.tanh(x)
    if training:
        return _gelu_with_slope(x)
    return ops.cast(ops.gelu(ops.cast(x, "float32"), approximate=False), x.dtype)  # float32: the faster type for it


@kernel
@ops.custom_gradient
def _gelu_with_slope(x: KerasTensor):
    """GELU, x Φ(x), with its slope Φ(x) + x φ(x) from the same Φ(x).

    On a CPU value and gradient take two thirds of the time of the formula and its derivative.
    """
    wide = ops.cast(x, "float32")
    cumulative = 0.5 + 0.5 * ops.erf(wide * math.sqrt(0.5))  # Φ(x)
    density = ops.exp(-0.5 * ops.square(wide)) * (1.0 / math.sqrt(2.0 * math.pi))  # φ(x)
    slope = ops.cast(cumulative + wide * density, x.dtype)

    def gradient(*arguments, upstream=None):
        (upstream,) = arguments or (upstream,)  # Keras's backends pass it in different ways
        return upstream * slope

    return ops.cast(wide * cumulative, x.dtype), gradient


_GATES = {"swiglu": "silu", "geglu": "gelu_tanh"}  # the non-linearity of each gated form
ACTIVATIONS = ("gelu", "gelu_tanh", "relu", *_GATES)


@keras.saving.register_keras_serializable(package="tfplm")
class FeedForward(keras.layers.Layer):
    """Two dense layers with a non-linearity between them and dropout at the end.

    Source: Vaswani et al. 2017, section 3.3; Shazeer 2020, "GLU Variants Improve Transformer", for the gated forms.

    Args:
        intermediate_dim: width between the two layers.
        activation: see `activate`; or "swiglu" and "geglu", whose first layer is twice as wide: the first half goes
            through SiLU or GELU (by tanh) and multiplies the second.
        dropout: rate on the output.
        kernel_initializer: of both layers.
        use_bias: whether the layers have biases.
        residual_initializer: of the second layer; None: ``kernel_initializer``.
        intermediate_dropout: rate between the layers, as in T5.
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        kernel_initializer="glorot_uniform",
        use_bias: bool = True,
        residual_initializer=None,
        intermediate_dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f"got activation={activation!r}, expected one of {', '.join(ACTIVATIONS)}")
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout_rate = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.use_bias = use_bias
        self.residual_initializer = keras.initializers.get(residual_initializer or self.kernel_initializer)
        self.intermediate_dropout_rate = intermediate_dropout

    def build(self, input_shape):
        first_dim = self.intermediate_dim * (2 if self.activation in _GATES else 1)
        self.intermediate = self._dense(first_dim, "intermediate", self.kernel_initializer)
        self.intermediate.build(input_shape)
        self.output_projection = self._dense(input_shape[-1], "output", self.residual_initializer)
        self.output_projection.build((*input_shape[:-1], self.intermediate_dim))
        rate = self.intermediate_dropout_rate
        self.intermediate_dropout = (
            Dropout(rate, dtype=self.dtype_policy, name="intermediate_dropout") if rate else None
        )
        self.dropout = Dropout(self.dropout_rate, dtype=self.dtype_policy, name="dropout")

    def _dense(self, units: int, name: str, initializer: keras.initializers.Initializer) -> keras.layers.Dense:
        return keras.layers.Dense(
            units,
            use_bias=self.use_bias,
            kernel_initializer=initializer.clone(),  # a seeded initializer draws the same values twice
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, hidden, row_seeds=None, training=None):
        """Maps (batch, sequence, hidden_dim) to the same shape; ``row_seeds`` (batch,) are those of `Dropout`."""
        hidden = self._activated(self.intermediate(hidden), training)  # (batch, sequence, intermediate_dim)
        if self.intermediate_dropout is not None:
            hidden = self.intermediate_dropout(hidden, row_seeds, training=training)
        return self.dropout(self.output_projection(hidden), row_seeds, training=training)

    def _activated(self, projected: KerasTensor, training: bool | None) -> KerasTensor:
        if self.activation not in _GATES:
            return activate(projected, self.activation, training)
        gate, value = ops.split(projected, 2, axis=-1)
        return activate(gate, _GATES[self.activation], training) * value

    def compute_output_shape(self, hidden_shape, row_seeds_shape=None):
        return tuple(hidden_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "use_bias": self.use_bias,
            "residual_initializer": keras.initializers.serialize(self.residual_initializer),
            "intermediate_dropout": self.intermediate_dropout_rate,
        }
