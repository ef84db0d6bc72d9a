"""What KerasHub's models are in Hugging Face's terms: their settings, and the places of their weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfplm.errors import UserError
from tfplm.interop.renamed_tensors import Renamed, flat, from_heads, same, to_heads, transposed
from tfplm.interop.tensors import Tensors


class PlaceTable:
    """Collects what each variable of a Keras 3 weights file becomes.

    Args:
        file: the variables by their paths, such as "layers/dense/vars/0".
    """

    def __init__(self, file: Tensors):
        self.file = file
        self.entries: list[Renamed] = []
        self._rest = {name for name in file.names() if not name.startswith("optimizer/")}

    def add(self, name: str, *places: str, change: Callable[[np.ndarray], np.ndarray] = same) -> None:
        """Makes a tensor of one or several variables. Raises UserError where the file lacks one."""
        sources = tuple(places)
        for source in sources:
            if source not in self._rest:
                raise UserError(
                    f"{self.file.origin} has no {source}.", "Expected the weights of the model in config.json."
                )
        self._rest.difference_update(sources)
        self.entries.append(Renamed(name, sources, change))

    def derive(self, name: str, source: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Makes a further tensor of a variable that another one is made of."""
        self.entries.append(Renamed(name, (source,), change))

    def dense(self, name: str, place: str, has_bias: bool = True) -> None:
        """A dense layer, of attention heads or plain, as a PyTorch kernel (outputs, inputs) and bias."""
        kernel = f"{place}/vars/0"
        is_plain = kernel not in self._rest or len(self.file.shape(kernel)) == 2
        ends_heads = place.endswith("output_dense")
        self.add(f"{name}.weight", kernel, change=transposed if is_plain else from_heads if ends_heads else to_heads)
        if has_bias:
            self.add(f"{name}.bias", f"{place}/vars/1", change=flat)

    def norm(self, name: str, place: str) -> None:
        self.add(f"{name}.weight", f"{place}/vars/0")
        self.add(f"{name}.bias", f"{place}/vars/1")

    def finish(self) -> list[Renamed]:
        """The entries, those of variables that nobody asked for under their own names."""
        for name in sorted(self._rest):
            self.add(name, name)
        return self.entries


class PresetFamily(ABC):
    """A kind of KerasHub model.

    Attributes:
        backbones: the classes of its body in config.json.
        model_type: what Hugging Face calls it.
        default: the architecture where no task.json names a head.
        tasks: the architecture by the class in task.json.
    """

    backbones: tuple[str, ...]
    model_type: str
    default: str
    tasks: Mapping[str, str]

    @abstractmethod
    def config_values(self, settings: dict[str, Any], file: Tensors) -> dict[str, Any]:
        """The values of config.json that tell of the body."""

    @abstractmethod
    def add_body(self, settings: dict[str, Any], table: PlaceTable) -> None:
        """Adds the weights of the body."""

    @abstractmethod
    def add_head(self, architecture: str, table: PlaceTable) -> None:
        """Adds the weights of a head that has a file of its own."""


def block_place(name: str, index: int) -> str:
    """Where Keras saves the layer number ``index`` of a class."""
    return f"layers/{name}_{index}" if index else f"layers/{name}"


def setting(settings: dict[str, Any], key: str) -> Any:
    """A setting that must be there. Raises UserError."""
    if key not in settings:
        raise UserError(f"The preset's config.json has no '{key}'.", "Expected the settings of a KerasHub backbone.")
    return settings[key]


def count(settings: dict[str, Any], key: str) -> int:
    """A whole number from 1 on. Raises UserError."""
    value = setting(settings, key)
    if type(value) is not int or not 0 < value < 1 << 32:
        raise UserError(f"The preset's config.json: '{key}' is {value!r}.", "Expected a whole number from 1 on.")
    return value
