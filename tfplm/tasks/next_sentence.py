"""Next-sentence prediction, the second objective of BERT."""

import keras


@keras.saving.register_keras_serializable(package="tfplm")
class NextSentenceHead(keras.layers.Layer):
    """Two scores from the pooled output: 1 where the second sentence follows the first, 0 where it does not.

    Source: Devlin et al. 2019, "BERT", section 3.1, task 2.

    Args:
        kernel_initializer: of the dense layer.
    """

    def __init__(self, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.classifier = keras.layers.Dense(
            2, kernel_initializer=self.kernel_initializer, dtype=self.dtype_policy, name="classifier"
        )
        self.classifier.build(input_shape)

    def call(self, pooled):
        """Maps (batch, hidden_dim) to logits (batch, 2) in float32."""
        return keras.ops.cast(self.classifier(pooled), "float32")

    def compute_output_shape(self, pooled_shape):
        return pooled_shape[0], 2

    def get_config(self):
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "kernel_initializer": initializer}
