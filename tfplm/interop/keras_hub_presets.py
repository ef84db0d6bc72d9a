"""KerasHub presets: the folders that `save_to_preset` writes, read without building any class that they name."""

from pathlib import Path
from typing import Any

import numpy as np

from tfplm.errors import UserError
from tfplm.interop.h5_files import H5File
from tfplm.interop.json_files import read_json_object
from tfplm.interop.keras_hub_encoders import AlbertPreset, BertPreset, DistilBertPreset, RobertaPreset, XlmRobertaPreset
from tfplm.interop.keras_hub_families import PlaceTable, PresetFamily
from tfplm.interop.keras_hub_writers import Gpt2Preset, LlamaPreset, MistralPreset, T5Preset
from tfplm.interop.renamed_tensors import RenamedTensors
from tfplm.interop.tensors import Tensors

WEIGHTS = "model.weights.h5"
_TASK_WEIGHTS = "task.weights.h5"
_FAMILIES = {
    backbone: family
    for family in (
        BertPreset(),
        RobertaPreset(),
        XlmRobertaPreset(),
        DistilBertPreset(),
        AlbertPreset(),
        Gpt2Preset(),
        T5Preset(),
        LlamaPreset(),
        MistralPreset(),
    )
    for backbone in family.backbones
}
MODEL_TYPES = frozenset(family.model_type for family in _FAMILIES.values())  # as Hugging Face calls them


def is_keras_hub_preset(config: dict[str, Any]) -> bool:
    """Whether a config.json is one that Keras serialized."""
    return isinstance(config.get("class_name"), str) and isinstance(config.get("config"), dict)


def open_keras_hub_preset(folder: Path, config: dict[str, Any]) -> tuple[Tensors, dict[str, Any], list[Path]]:
    """Opens a preset under Hugging Face's names.

    Source: the layout of `Backbone.save_to_preset` and `Task.save_to_preset` of KerasHub 0.32: the body's weights in
    model.weights.h5, those of the head that task.json names in task.weights.h5.

    Args:
        folder: of the preset.
        config: what its config.json holds.

    Returns:
        The tensors, the values of a Hugging Face config.json, and the files of weights.

    Raises:
        UserError: a file is missing or damaged, or the model is of a kind that is not supported.
    """
    name, settings = config["class_name"], config["config"]
    if name not in _FAMILIES:
        raise UserError(f"{folder / 'config.json'} is of a {name}.", f"Supported: {', '.join(_FAMILIES)}.")
    family = _FAMILIES[name]
    body = H5File(_existing(folder / WEIGHTS))
    architecture, task_values = _task(folder, family)
    values = family.config_values(settings, body) | {"architectures": [architecture]} | task_values
    table = PlaceTable(body)
    family.add_body(settings, table)
    tensors: Tensors = RenamedTensors(body, table.finish())
    if not (folder / _TASK_WEIGHTS).is_file():
        return tensors, values, [folder / WEIGHTS]
    head = H5File(folder / _TASK_WEIGHTS)
    table = PlaceTable(head)
    family.add_head(architecture, table)
    joined = _JoinedTensors(tensors, RenamedTensors(head, table.finish()))
    return joined, values, [folder / WEIGHTS, folder / _TASK_WEIGHTS]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"There is no {path}.", "Expected all weights of the preset in this one file.")
    return path


def _task(folder: Path, family: PresetFamily) -> tuple[str, dict[str, Any]]:
    """The architecture, and the labels where the head tells classes apart."""
    path = folder / "task.json"
    if not path.is_file():
        return family.default, {}
    values = read_json_object(path)
    name, settings = values.get("class_name"), values.get("config")
    if not isinstance(name, str) or name not in family.tasks or not isinstance(settings, dict):
        raise UserError(f"{path} is of the task {name!r}.", f"Supported: {', '.join(family.tasks)}.")
    if "num_classes" not in settings:
        return family.tasks[name], {}
    num_classes = settings["num_classes"]
    if type(num_classes) is not int or not 0 < num_classes <= 1 << 20:
        raise UserError(f"{path}: 'num_classes' is {num_classes!r}.", "Expected a whole number from 1 on.")
    labels = {str(label): f"LABEL_{label}" for label in range(num_classes)}
    return family.tasks[name], {"id2label": labels, "label2id": {name: int(label) for label, name in labels.items()}}


class _JoinedTensors(Tensors):
    """The tensors of a body and of its head, which lie in two files."""

    def __init__(self, body: Tensors, head: Tensors):
        self.origin = body.origin
        self._parts = dict.fromkeys(body.names(), body) | dict.fromkeys(head.names(), head)

    def names(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._parts[name].shape(name)

    def dtype(self, name: str) -> np.dtype:
        return self._parts[name].dtype(name)

    def read(self, name: str) -> np.ndarray:
        return self._parts[name].read(name)
