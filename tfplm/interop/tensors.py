"""The tensors of a checkpoint by name, whatever file they lie in."""

from abc import ABC, abstractmethod

import numpy as np


class Tensors(ABC):
    """Tensors that are read one at a time.

    Attributes:
        origin: the file or folder, for messages.
    """

    origin: str

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of all tensors."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, known before it is read."""

    @abstractmethod
    def dtype(self, name: str) -> np.dtype:
        """The dtype of a tensor in the file, known before it is read."""

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """One tensor in the dtype of the file (float16 and bfloat16 too); it may be a view on a memory map."""
