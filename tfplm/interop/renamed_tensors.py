"""Tensors of another layout under the names and in the orientation that Hugging Face's checkpoints have."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tfplm.interop.tensors import Tensors


def same(tensor: np.ndarray) -> np.ndarray:
    return tensor


def transposed(tensor: np.ndarray) -> np.ndarray:
    """(inputs, outputs) as (outputs, inputs)."""
    return tensor.T


def flat(tensor: np.ndarray) -> np.ndarray:
    """(heads, head_dim) as (heads · head_dim)."""
    return tensor.reshape(-1)


def inputs_first(tensor: np.ndarray) -> np.ndarray:
    """(inputs, heads, head_dim) as (inputs, heads · head_dim)."""
    return tensor.reshape(tensor.shape[0], -1)


def outputs_last(tensor: np.ndarray) -> np.ndarray:
    """(heads, head_dim, outputs) as (heads · head_dim, outputs)."""
    return tensor.reshape(-1, tensor.shape[-1])


def to_heads(tensor: np.ndarray) -> np.ndarray:
    """(inputs, heads, head_dim) as (heads · head_dim, inputs)."""
    return inputs_first(tensor).T


def from_heads(tensor: np.ndarray) -> np.ndarray:
    """(heads, head_dim, outputs) as (outputs, heads · head_dim)."""
    return outputs_last(tensor).T


@dataclass(frozen=True)
class Renamed:
    """A tensor and what it is made of.

    Args:
        name: of the tensor.
        sources: the names of its parts in the file, side by side along the last axis.
        change: makes a part of what the file holds, a view where it can.
    """

    name: str
    sources: tuple[str, ...]
    change: Callable[[np.ndarray], np.ndarray] = same


class RenamedTensors(Tensors):
    """Tensors made of those of a file.

    Args:
        source: the tensors of the file.
        table: what is made of them; every source is there.
    """

    def __init__(self, source: Tensors, table: Iterable[Renamed]):
        self.origin = source.origin
        self._source = source
        self._table = {entry.name: entry for entry in table}

    def names(self) -> tuple[str, ...]:
        return tuple(self._table)

    def shape(self, name: str) -> tuple[int, ...]:
        entry = self._table[name]
        parts = [entry.change(np.broadcast_to(np.int8(0), self._source.shape(part))).shape for part in entry.sources]
        return (*parts[0][:-1], sum(part[-1] for part in parts)) if len(parts) > 1 else parts[0]

    def dtype(self, name: str) -> np.dtype:
        return self._source.dtype(self._table[name].sources[0])

    def read(self, name: str) -> np.ndarray:
        entry = self._table[name]
        parts = [entry.change(self._source.read(part)) for part in entry.sources]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
