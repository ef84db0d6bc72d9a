"""Dropout whose mask is a function of explicit seeds."""

import random

import keras
import numpy as np
from keras import KerasTensor, ops

from tfplm.layers.hashing import hashed, weyl_sequence, word
from tfplm.layers.kernels import kernel


@keras.saving.register_keras_serializable(package="tfplm")
class Dropout(keras.layers.Layer):
    """Sets a share of the elements to zero and scales the others, so that the mean stays.

    Each element is decided by 16 bits of a hash of the seed of its row, the layer's own seed and its place in the row.
    With ``row_seeds`` the mask is therefore the same however the rows are spread over devices or micro-batches,
    whether the step is compiled, when it is computed again for the gradient, and in a run that was resumed. It is also
    several times faster than drawing random numbers, and exact in bfloat16, whose uniform numbers have 7 bits.

    Source: Srivastava et al. 2014, "Dropout".

    Args:
        rate: the share, rounded to a multiple of 2**-16.
        seed: the layer's own; None takes one from Python's generator, which `keras.utils.set_random_seed` seeds.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"got rate={rate}, expected 0 or more and less than 1")
        self.rate = rate
        self.seed = seed
        self._own_seed = random.randrange(2**31) if seed is None else seed
        self.seed_generator = keras.random.SeedGenerator(self._own_seed) if rate > 0.0 else None
        self.supports_masking = True
        self.built = True

    def call(self, inputs, row_seeds=None, training=None):
        """Maps (batch, …, dim), all but the batch static, to the same shape; without ``training`` to itself.

        Args:
            inputs: float.
            row_seeds: (batch,) int32, other ones at every step; None draws some from the layer's own generator.
            training: whether anything is dropped.
        """
        dropped = min(round(self.rate * 2**16), 2**16 - 1)  # of the 2**16 values that 16 bits take
        if not training or dropped == 0:
            return inputs
        if row_seeds is None:
            row_seeds = keras.random.randint(ops.shape(inputs)[:1], -(2**31), 2**31 - 1, seed=self.seed_generator)
        row_shape = tuple(ops.shape(inputs)[1:])
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        mask = _scaled_mask(row_seeds, word(self._own_seed), int(np.prod(row_shape)), dropped, dtype)
        return inputs * ops.reshape(mask, ops.shape(inputs))

    def compute_output_shape(self, input_shape, row_seeds_shape=None):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@kernel
def _scaled_mask(row_seeds: KerasTensor, own_seed: KerasTensor, size: int, dropped: int, dtype: str) -> KerasTensor:
    """What a row's elements are multiplied by: 0 with the probability dropped / 2**16, or else one over the rest.

    Args:
        row_seeds: (batch,) int32.
        own_seed: uint32 scalar.
        size: elements of a row.
        dropped: of the 2**16 values of 16 random bits.
        dtype: of the result.

    Returns:
        (batch, size) of ``dtype``.
    """
    seeds = ops.view(ops.expand_dims(row_seeds, 1), "uint32")
    keys = hashed(ops.bitwise_xor(seeds, own_seed))  # (batch, 1)
    halves = ops.view(hashed(ops.add(keys, weyl_sequence((size + 1) // 2))), "uint16")[:, :size]
    return ops.cast(ops.greater_equal(halves, dropped), dtype) * ops.cast(2**16 / (2**16 - dropped), dtype)
