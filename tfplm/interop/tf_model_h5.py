"""``tf_model.h5``: the weights that the TensorFlow classes of transformers 4 saved."""

import re
from pathlib import Path

import numpy as np

from tfplm.errors import UserError
from tfplm.interop.h5_files import H5File
from tfplm.interop.renamed_tensors import Renamed, RenamedTensors, same, transposed

FILE = "tf_model.h5"
_COMPARED_AT_ONCE = 1 << 20  # elements


def open_tf_model_h5(path: Path) -> RenamedTensors:
    """Opens a ``tf_model.h5`` under the names and in the orientation of the PyTorch checkpoint.

    The body's names keep their beginning, such as "bert.", also where there is no head.

    Raises:
        UserError: the file is damaged, or holds something else.
    """
    file = H5File(path)
    paths: dict[str, list[str]] = {}
    for source in file.names():
        group, _, weight = source.partition("/")
        if "/" in weight:
            paths.setdefault(hugging_face_name(weight, group), []).append(source)
    if not paths:
        raise UserError(
            f"{path} holds no weights of a transformers 4 model.", "Expected groups of layers with weights."
        )
    return RenamedTensors(file, [_entry(file, name, sources) for name, sources in paths.items()])


def hugging_face_name(weight: str, group: str) -> str:
    """The name in a PyTorch checkpoint of a Keras 2 weight.

    Source: the naming rules of transformers 4 (`modeling_tf_pytorch_utils`): the first level is the name of the model,
    "a___b" stands for b, "_._" parts a list from its index, and kernel, embeddings, gamma, beta have other names.

    Args:
        weight: such as "tf_bert_for_masked_lm/mlm___cls/predictions/bias:0".
        group: of the H5 file that it lies in. A weight that begins with it was saved without the model's name.
    """
    name = re.sub(r":\d+$", "", weight)
    levels = name.split("/")
    if levels[0] != group or (len(levels) > 2 and levels[1] == group):
        levels = levels[1:]
    levels = [re.sub(r"^.*___", "", level) for level in levels[:-1]] + levels[-1:]
    levels = [part for level in levels for part in level.split("_._") if part]
    if levels[:2] == ["shared", "shared"]:  # T5
        levels = levels[1:]
    levels[-1] = {"kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias"}.get(
        levels[-1], levels[-1]
    )
    return ".".join(levels)


def _entry(file: H5File, name: str, sources: list[str]) -> Renamed:
    """How a tensor is made. One that several layers share lies there once for each: its copies must be equal."""
    source, *copies = sources
    for copy in copies:
        if file.shape(copy) != file.shape(source) or not _are_equal(file, source, copy):
            raise UserError(f"{file.origin}: {source!r} and {copy!r} are one weight with two values.", "Expected one.")
    is_kernel = source.rpartition("/")[2].startswith("kernel:") and len(file.shape(source)) == 2
    is_row = name.endswith(".bias") and len(file.shape(source)) == 2 and file.shape(source)[0] == 1  # GPT-2: (1, n)
    return Renamed(name, (source,), transposed if is_kernel else _row if is_row else same)


def _row(tensor: np.ndarray) -> np.ndarray:
    return tensor[0]


def _are_equal(file: H5File, first: str, second: str) -> bool:
    """Compares two tensors by rows, so that neither is there as a whole."""
    shape = file.shape(first)
    if not shape:
        return bool(file.read(first) == file.read(second))
    step = max(1, _COMPARED_AT_ONCE // max(1, int(np.prod(shape[1:]))))
    return all(
        np.array_equal(file.read_rows(first, start, start + step), file.read_rows(second, start, start + step))
        for start in range(0, shape[0], step)
    )
