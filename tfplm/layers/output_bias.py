"""The bias behind an output projection with tied weights."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfplm")
class OutputBias(keras.layers.Layer):
    """Adds a bias for every id of the vocabulary and gives float32."""

    def build(self, logits_shape):
        self.bias = self.add_weight(name="bias", shape=(logits_shape[-1],), initializer="zeros", autocast=False)

    def call(self, logits):
        """Maps logits (…, vocabulary) to the same shape in float32."""
        return ops.cast(logits, "float32") + self.bias

    def compute_output_shape(self, logits_shape):
        return tuple(logits_shape)
