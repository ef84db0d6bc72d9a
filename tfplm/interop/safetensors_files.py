"""Safetensors: reading one file or shards by a memory map, and writing them tensor by tensor."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tfplm.errors import UserError
from tfplm.interop.json_files import read_json_object
from tfplm.interop.safetensors_header import DTYPES, StoredTensor, read_header
from tfplm.interop.tensors import Tensors

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_LARGEST_INDEX = 1 << 26  # bytes
_SHARD_BYTES = 5 * 10**9


class SafetensorsFiles(Tensors):
    """The tensors of one or several safetensors files.

    Args:
        origin: the folder or file, for messages.
        tensors: where they lie, by name.

    Attributes:
        paths: the files.
    """

    def __init__(self, origin: str, tensors: Mapping[str, StoredTensor], paths: Iterable[Path]):
        self.origin = origin
        self.paths = tuple(paths)
        self._tensors = tensors

    def names(self) -> tuple[str, ...]:
        return tuple(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._tensors[name].shape

    def dtype(self, name: str) -> np.dtype:
        return self._tensors[name].dtype

    def read(self, name: str) -> np.ndarray:
        """A view on a memory map of this tensor alone: its pages go when the array goes."""
        stored = self._tensors[name]
        if 0 in stored.shape:
            return np.empty(stored.shape, stored.dtype)
        try:
            mapped = np.memmap(stored.path, stored.dtype, "r", stored.start, stored.shape)
        except (OSError, ValueError) as error:
            raise UserError(f"{stored.path} cannot be read any more: {error}.") from error
        return np.asarray(mapped)


def open_safetensors(folder: Path) -> SafetensorsFiles:
    """Opens ``model.safetensors``, or the shards that ``model.safetensors.index.json`` names.

    Every header is checked; no tensor is read.

    Raises:
        UserError: a file is missing or damaged, or the index names a file outside the folder.
    """
    single = folder / SINGLE
    if single.is_file():
        return SafetensorsFiles(str(single), read_header(single), [single])
    return _open_shards(folder / INDEX)


def _open_shards(index: Path) -> SafetensorsFiles:
    shard_of = _read_weight_map(index)
    paths = [index.parent / shard for shard in sorted(set(shard_of.values()))]
    for path in paths:
        if not path.is_file():
            raise UserError(f"There is no {path}, which {index.name} names.", remedy="Download the missing file.")
    tensors: dict[str, StoredTensor] = {}
    for path in paths:
        header = read_header(path)
        for name in header.keys() & tensors.keys():
            raise UserError(f"The tensor {name!r} lies in {tensors[name].path} and in {path}.", "Expected it once.")
        tensors |= header
    for name, shard in shard_of.items():
        if name not in tensors or tensors[name].path.name != shard:
            raise UserError(f"{index} says that the tensor {name!r} lies in {shard}, where it is not.")
    return SafetensorsFiles(str(index), tensors, paths)


def _read_weight_map(index: Path) -> dict[str, str]:
    """The name of its shard by tensor. Raises UserError unless every shard is a file of the index's own folder."""
    shard_of = read_json_object(index, _LARGEST_INDEX).get("weight_map")
    if not isinstance(shard_of, dict) or not shard_of:
        raise UserError(f"{index} has no 'weight_map'.", "Expected the name of a file for every tensor.")
    for shard in shard_of.values():
        if not isinstance(shard, str) or not _is_plain_name(shard):
            raise UserError(
                f"{index} names the file {shard!r}.", "Expected a .safetensors file right in the folder of the index."
            )
    return shard_of


def _is_plain_name(name: str) -> bool:
    return name.endswith(".safetensors") and not any(sign in "/\\:" or not sign.isprintable() for sign in name)


def write_safetensors(
    tensors: Iterable[tuple[str, np.ndarray]],
    specs: Mapping[str, tuple[np.dtype, tuple[int, ...]]],
    folder: Path,
    max_shard_bytes: int = _SHARD_BYTES,
) -> list[Path]:
    """Writes tensors one at a time, sharded with an index where they are over ``max_shard_bytes`` together.

    Equal tensors give equal bytes, whatever the order in which they come.

    Args:
        tensors: name and value, each name of ``specs`` once, in any order.
        specs: dtype and shape by name, in the order in which shards are filled.
        folder: exists; receives ``model.safetensors``, or ``model-00001-of-00002.safetensors`` … and the index.
        max_shard_bytes: of the tensors in a file; a larger tensor has a file to itself.

    Returns:
        The files, in order.

    Raises:
        ValueError: a tensor that is missing, unknown, given twice, or of another shape or dtype than its spec.
    """
    shards = _shards(specs, max_shard_bytes)
    count = len(shards)
    names = (
        [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)] if count > 1 else [SINGLE]
    )
    paths = [folder / name for name in names]
    partial = [path.with_name(f".{path.name}.partial") for path in paths]
    try:
        _write_files(tensors, specs, shards, partial)
        for source, path in zip(partial, paths, strict=True):
            os.replace(source, path)
    finally:
        for path in partial:
            path.unlink(missing_ok=True)
    if count > 1:
        (folder / INDEX).write_text(_index(specs, shards, names), encoding="utf-8")
    return paths


def _num_bytes(spec: tuple[np.dtype, tuple[int, ...]]) -> int:
    return math.prod(spec[1]) * np.dtype(spec[0]).itemsize


def _shards(specs: Mapping, max_shard_bytes: int) -> list[list[str]]:
    """The names of each file, filled in the order of ``specs``."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name, spec in specs.items():
        if shards[-1] and filled + _num_bytes(spec) > max_shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += _num_bytes(spec)
    return shards


def _write_files(tensors: Iterable, specs: Mapping, shards: list[list[str]], paths: list[Path]) -> None:
    places = {}
    with ExitStack() as stack:
        for shard, path in zip(shards, paths, strict=True):
            file = stack.enter_context(path.open("wb"))
            header, offsets = _header(shard, specs)
            file.write(header)
            places |= {name: (file, len(header) + offset) for name, offset in offsets.items()}
        for name, value in tensors:
            if name not in places:
                raise ValueError(f"got the tensor {name!r}, expected each name of specs once")
            if (value.dtype, value.shape) != (np.dtype(specs[name][0]), tuple(specs[name][1])):
                raise ValueError(f"got {name!r} of {value.dtype} {value.shape}, expected {specs[name]}")
            file, place = places.pop(name)
            file.seek(place)
            file.write(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    if places:
        raise ValueError(f"got no tensor {next(iter(places))!r}, expected each name of specs once")


def _header(names: list[str], specs: Mapping) -> tuple[bytes, dict[str, int]]:
    """The header, and where each tensor starts behind it: the widest dtypes first, so that all are aligned."""
    codes = {dtype: code for code, dtype in DTYPES.items()}
    entries: dict = {"__metadata__": {"format": "pt"}}
    offsets, end = {}, 0
    for name in sorted(names, key=lambda name: (-np.dtype(specs[name][0]).itemsize, name)):
        dtype, shape = specs[name]
        offsets[name], end = end, end + _num_bytes(specs[name])
        entries[name] = {"dtype": codes[np.dtype(dtype)], "shape": list(shape), "data_offsets": [offsets[name], end]}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, offsets


def _index(specs: Mapping, shards: list[list[str]], files: list[str]) -> str:
    shard_of = {name: file for shard, file in zip(shards, files, strict=True) for name in shard}
    total = sum(_num_bytes(spec) for spec in specs.values())
    values = {"metadata": {"total_size": total}, "weight_map": dict(sorted(shard_of.items()))}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
