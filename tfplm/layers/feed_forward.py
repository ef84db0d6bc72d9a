"""The position-wise half of a Transformer block."""

import keras
from keras import KerasTensor, ops

from tfplm.layers.dropout import Dropout


def gelu(x: KerasTensor) -> KerasTensor:
    """GELU, x Φ(x), by the error function as in the original BERT; in float32, which is the faster type for it."""
    return ops.cast(ops.gelu(ops.cast(x, "float32"), approximate=False), x.dtype)


def gelu_tanh(x: KerasTensor) -> KerasTensor:
    """The approximation of x Φ(x) by tanh."""
    return ops.gelu(x, approximate=True)


ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": ops.relu}


@keras.saving.register_keras_serializable(package="tfplm")
class FeedForward(keras.layers.Layer):
    """Two dense layers with a non-linearity between them and dropout at the end.

    Source: Vaswani et al. 2017, section 3.3; Hendrycks and Gimpel 2016 for GELU.

    Args:
        intermediate_dim: width between the two layers.
        activation: "gelu" (exact), "gelu_tanh" (the tanh approximation) or "relu".
        dropout: rate on the output.
        kernel_initializer: of both layers.
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f"got activation={activation!r}, expected one of {', '.join(ACTIVATIONS)}")
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout_rate = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.intermediate = self._dense(self.intermediate_dim, "intermediate")
        self.intermediate.build(input_shape)
        self.output_projection = self._dense(input_shape[-1], "output")
        self.output_projection.build((*input_shape[:-1], self.intermediate_dim))
        self.dropout = Dropout(self.dropout_rate, dtype=self.dtype_policy, name="dropout")

    def _dense(self, units: int, name: str) -> keras.layers.Dense:
        initializer = self.kernel_initializer.clone()  # a seeded initializer draws the same values twice
        return keras.layers.Dense(units, kernel_initializer=initializer, dtype=self.dtype_policy, name=name)

    def call(self, hidden, row_seeds=None, training=None):
        """Maps (batch, sequence, hidden_dim) to the same shape; ``row_seeds`` (batch,) are those of `Dropout`."""
        hidden = ACTIVATIONS[self.activation](self.intermediate(hidden))  # (batch, sequence, intermediate_dim)
        return self.dropout(self.output_projection(hidden), row_seeds, training=training)

    def compute_output_shape(self, hidden_shape, row_seeds_shape=None):
        return tuple(hidden_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
