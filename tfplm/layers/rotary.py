"""Positions as rotations of queries and keys."""

from dataclasses import dataclass

import numpy as np
from keras import KerasTensor, ops


@dataclass(frozen=True)
class Rotation:
    """Cosines and sines of the angles by which pairs of numbers are turned; float32, broadcast over the heads.

    It is no tuple, whose tensors Keras would cast to the compute dtype on their way into a layer.
    """

    cosines: KerasTensor  # (batch or 1, 1, sequence, head_dim)
    sines: KerasTensor  # of the same shape


def rotation(position_ids: KerasTensor, head_dim: int, base: float = 10_000.0) -> Rotation:
    """The rotation of every position, the pair i of a head turning by position · base^(−2i / head_dim).

    A head's first half is paired with its second, as in GPT-NeoX and Llama's published checkpoints.

    Source: Su et al. 2021, "RoFormer", section 3.4.2.

    Args:
        position_ids: (batch or 1, sequence) integers.
        head_dim: width of a head, even.
        base: the wavelengths are from 2π to 2π · base.
    """
    frequencies = base ** (-np.arange(0, head_dim, 2) / head_dim)  # (head_dim / 2,)
    frequencies = np.concatenate([frequencies, frequencies]).astype("float32")
    angles = ops.cast(position_ids, "float32")[:, None, :, None] * frequencies
    return Rotation(ops.cos(angles), ops.sin(angles))


def rotate(heads: KerasTensor, by: Rotation) -> KerasTensor:
    """Turns (batch, heads, sequence, head_dim) by the rotation of each position; in float32, returned as it came."""
    wide = ops.cast(heads, "float32")
    first, second = ops.split(wide, 2, axis=-1)
    turned = wide * by.cosines + ops.concatenate([-second, first], axis=-1) * by.sines
    return ops.cast(turned, heads.dtype)
