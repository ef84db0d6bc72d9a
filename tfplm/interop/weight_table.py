"""Which of our variables is made of which tensors of a checkpoint, told once for both directions."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Weight:
    """One variable and the tensors that it is made of, side by side along its last axis.

    Args:
        variable: its path, such as "bert/block_0/attention/qkv/kernel".
        tensors: names in the checkpoint.
        layout: "same"; "transposed": a PyTorch kernel (outputs, inputs); "reversed": the last axis backwards.
        sizes: of the tensors along the variable's last axis; none: equal.
        rows_before: rows that the tensor has before those of the variable, zeros where it is written.
        is_new: the checkpoint need not have it; the variable keeps its initial values then.
        otherwise: the tensors that hold it where a checkpoint has none of ``tensors``; what is written has them.
    """

    variable: str
    tensors: tuple[str, ...]
    layout: Literal["same", "transposed", "reversed"] = "same"
    sizes: tuple[int, ...] = ()
    rows_before: int = 0
    is_new: bool = False
    otherwise: tuple[str, ...] = ()

    def found_in(self, names: Container[str]) -> "Weight":
        """The same variable, made of the tensors that a checkpoint with tensors of these names has for it."""
        has_none = self.otherwise and not any(name in names for name in self.tensors)
        return replace(self, tensors=self.otherwise) if has_none else self

    def read(self, read: Callable[[str], np.ndarray]) -> np.ndarray:
        """The variable's value, from ``read``, which gives a tensor by its name."""
        parts = [self._to_variable(read(name)) for name in self.tensors]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def write(self, value: np.ndarray) -> dict[str, np.ndarray]:
        """The tensors by name that the variable's value is made of."""
        equal = [value.shape[-1] // len(self.tensors)] * len(self.tensors)
        parts = np.split(value, np.cumsum(self.sizes or equal)[:-1], axis=-1)
        return {name: self._to_tensor(part) for name, part in zip(self.tensors, parts, strict=True)}

    def shapes(self, of_variable: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The shapes that the tensors must have for a variable of the shape ``of_variable``."""
        sizes = self.sizes or (of_variable[-1] // len(self.tensors),) * len(self.tensors)
        return {
            name: self._to_tensor(np.broadcast_to(np.float32(0), (*of_variable[:-1], size))).shape
            for name, size in zip(self.tensors, sizes, strict=True)
        }

    def _to_variable(self, tensor: np.ndarray) -> np.ndarray:
        tensor = tensor[self.rows_before :]
        if self.layout == "reversed":
            return tensor.T[..., ::-1] if tensor.ndim == 2 else tensor[::-1]
        return tensor.T if self.layout == "transposed" else tensor

    def _to_tensor(self, value: np.ndarray) -> np.ndarray:
        if self.layout == "reversed":
            value = value[..., ::-1].T if value.ndim == 2 else value[::-1]
        elif self.layout == "transposed":
            value = value.T
        return np.pad(value, [(self.rows_before, 0), *[(0, 0)] * (value.ndim - 1)]) if self.rows_before else value
