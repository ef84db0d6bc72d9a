"""Positions as rotations of queries and keys."""

import math
from collections.abc import Callable
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


def rotation(
    position_ids: KerasTensor,
    head_dim: int,
    base: float = 10_000.0,
    scale: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Rotation:
    """The rotation of every position, the pair i of a head turning by position · base^(−2i / head_dim).

    A head's first half is paired with its second, as in GPT-NeoX and Llama's published checkpoints.

    Source: Su et al. 2021, "RoFormer", section 3.4.2.

    Args:
        position_ids: (batch or 1, sequence) integers.
        head_dim: width of a head, even.
        base: the wavelengths are from 2π to 2π · base.
        scale: what makes other frequencies of these, (head_dim / 2,), for rows longer than those of the training.
    """
    frequencies = base ** (-np.arange(0, head_dim, 2) / head_dim)  # (head_dim / 2,)
    if scale is not None:
        frequencies = scale(frequencies)
    frequencies = np.concatenate([frequencies, frequencies]).astype("float32")
    angles = ops.cast(position_ids, "float32")[:, None, :, None] * frequencies
    return Rotation(ops.cos(angles), ops.sin(angles))


def scale_linearly(frequencies: np.ndarray, factor: float) -> np.ndarray:
    """All frequencies divided by the factor.

    Source: Chen et al. 2023, "Extending Context Window of Large Language Models via Positional Interpolation",
    section 3.2.
    """
    return frequencies / factor


def scale_by_wavelength(
    frequencies: np.ndarray, factor: float, low_factor: float, high_factor: float, original_length: int
) -> np.ndarray:
    """Long waves divided by the factor, short ones left alone, those between them mixed of both.

    Source: Llama 3.1's published reference code and its ``rope_type`` "llama3" in the checkpoints' config.json.

    Args:
        frequencies: (head_dim / 2,).
        factor: what the frequency of long waves is divided by.
        low_factor: waves of fewer periods than this in the original length are long.
        high_factor: waves of more are short.
        original_length: tokens of a row in the training before.
    """
    periods = original_length * frequencies / (2 * math.pi)
    share = np.clip((periods - low_factor) / (high_factor - low_factor), 0.0, 1.0)  # of the frequency as it was
    return frequencies * (share + (1 - share) / factor)


def rotate(heads: KerasTensor, by: Rotation) -> KerasTensor:
    """Turns (batch, heads, sequence, head_dim) by the rotation of each position; in float32, returned as it came."""
    wide = ops.cast(heads, "float32")
    first, second = ops.split(wide, 2, axis=-1)
    turned = wide * by.cosines + ops.concatenate([-second, first], axis=-1) * by.sines
    return ops.cast(turned, heads.dtype)
