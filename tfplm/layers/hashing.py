"""Random bits that are a function of numbers: the same in any batch, on any backend, compiled or not."""

import numpy as np
from keras import KerasTensor, ops

WEYL = 0x9E3779B9  # 2**32 / golden ratio, odd: its multiples spread evenly over 32 bits


def hashed(x: KerasTensor) -> KerasTensor:
    """Mixes uint32 so that every bit of the result depends on every bit of ``x``.

    Source: the finalizer "lowbias32" of https://nullprogram.com/blog/2018/07/31/.
    """
    x = ops.multiply(ops.bitwise_xor(x, ops.right_shift(x, word(16))), word(0x7FEB352D))
    x = ops.multiply(ops.bitwise_xor(x, ops.right_shift(x, word(15))), word(0x846CA68B))
    return ops.bitwise_xor(x, ops.right_shift(x, word(16)))


def weyl_sequence(count: int) -> KerasTensor:
    """Multiples of `WEYL` from 0 on, modulo 2**32: uint32 (count,), to tell the elements of a row apart."""
    return ops.convert_to_tensor((np.arange(count, dtype=np.uint64) * WEYL).astype(np.uint32))


def word(value: int) -> KerasTensor:
    """A Python integer modulo 2**32 as a uint32 scalar."""
    return ops.convert_to_tensor(np.uint32(value % 2**32))
