"""Dropout that needs half a random number for an element."""

import keras
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="tfplm")
class Dropout(keras.layers.Layer):
    """Sets a share of the elements to zero and scales the others, so that the mean stays.

    Each element is decided by 16 random bits, whatever the compute dtype. `keras.layers.Dropout` draws a float of that
    dtype: slower, and in bfloat16, whose uniform numbers have 7 bits, a rate of 0.1 comes out as 0.102.

    Source: Srivastava et al. 2014, "Dropout".

    Args:
        rate: the share, rounded to a multiple of 2**-16.
        seed: of the random numbers; None takes one from Python's generator, which
            `keras.utils.set_random_seed` seeds.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"got rate={rate}, expected 0 or more and less than 1")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if rate > 0.0 else None
        self.supports_masking = True
        self.built = True

    def call(self, inputs, training=None):
        """Maps (…, dim), the last dimension static, to the same shape; without ``training`` gives back the inputs."""
        dropped = min(round(self.rate * 2**16), 2**16 - 1)  # of the 2**16 values that 16 bits take
        if not training or dropped == 0:
            return inputs
        kept = ops.cast(ops.greater_equal(self._random_bits(inputs), dropped), inputs.dtype)
        return inputs * (kept * ops.cast(2**16 / (2**16 - dropped), inputs.dtype))

    def _random_bits(self, inputs: KerasTensor) -> KerasTensor:
        *leading, last = ops.shape(inputs)
        words = keras.random.randint((*leading, (last + 1) // 2), -(2**31), 2**31 - 1, seed=self.seed_generator)
        halves = ops.view(words, "uint16")  # two for every word
        return halves if last % 2 == 0 else halves[..., :last]

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
