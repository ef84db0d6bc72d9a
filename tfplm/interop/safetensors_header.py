"""The header of a safetensors file, checked before anything of its size is allocated."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from tfplm.errors import UserError
from tfplm.interop.json_files import parse_json_object

LONGEST_HEADER = 100_000_000  # bytes, as in the format's own reader
_MOST_AXES = 32
_MOST_ELEMENTS = 1 << 60  # of the axes of an empty tensor, which no bytes bound

DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U64": np.dtype(np.uint64),
    "U32": np.dtype(np.uint32),
    "U16": np.dtype(np.uint16),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies.

    Args:
        path: of the file.
        dtype: of the tensor.
        shape: of the tensor.
        start: of its bytes in the file.
    """

    path: Path
    dtype: np.dtype
    shape: tuple[int, ...]
    start: int


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file by name, in the order of their bytes.

    Source: the format's description in the README of the `safetensors` package: 8 bytes with the header's length
    (unsigned, little-endian), the header in JSON, then the tensors' bytes without holes.

    Raises:
        UserError: the file cannot be read or is damaged, or a dtype is not supported.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            prefix = file.read(8)
            length = int.from_bytes(prefix, "little")
            if len(prefix) < 8 or length > size - 8:
                raise _damaged(path, f"its header claims {length:,} bytes, and the file has {size:,}")
            if length > LONGEST_HEADER:
                raise _damaged(path, f"its header claims {length:,} bytes, and {LONGEST_HEADER:,} are the most")
            header = file.read(length)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(header) < length or not header.startswith(b"{"):
        raise _damaged(path, "its header is cut off or no JSON object")
    return _checked(path, parse_json_object(header, f"The header of {path}"), 8 + length, size)


def _checked(path: Path, header: dict[str, Any], data_start: int, size: int) -> dict[str, StoredTensor]:
    """The tensors, whose bytes must follow each other from ``data_start`` to the end of the file."""
    _check_metadata(path, header.pop("__metadata__", {}))
    ranges = {name: _byte_range(path, name, entry) for name, entry in header.items()}
    tensors, end = {}, 0
    for name in sorted(ranges, key=ranges.get):
        start, stop = ranges[name]
        if start != end:
            kind = "overlaps the tensor before it" if start < end else "leaves a hole before it"
            raise _damaged(path, f"the tensor {name!r} {kind} (bytes {start} to {stop})")
        tensors[name], end = _stored(path, name, header[name], data_start + start, stop - start), stop
    if data_start + end != size:
        kind = "is cut off" if data_start + end > size else "has bytes that no tensor owns"
        raise _damaged(path, f"it {kind}: {size:,} bytes, and its header tells of {data_start + end:,}")
    return tensors


def _check_metadata(path: Path, metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, "its __metadata__ is no object of texts")


def _byte_range(path: Path, name: str, entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, f"the tensor {name!r} is not told by dtype, shape and data_offsets")
    offsets = entry["data_offsets"]
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(path, f"the tensor {name!r} has the data_offsets {_short(offsets)}")
    return offsets[0], offsets[1]


def _stored(path: Path, name: str, entry: dict[str, Any], start: int, num_bytes: int) -> StoredTensor:
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise UserError(
            f"{path}: the tensor {name!r} has the dtype {_short(dtype)}.", f"Supported: {', '.join(DTYPES)}."
        )
    if not _are_sizes(shape) or len(shape) > _MOST_AXES:
        raise _damaged(path, f"the tensor {name!r} has the shape {_short(shape)}")
    if math.prod(shape) * DTYPES[dtype].itemsize != num_bytes or math.prod(filter(None, shape)) > _MOST_ELEMENTS:
        raise _damaged(path, f"the tensor {name!r} of {dtype} {_short(shape)} has {num_bytes:,} bytes")
    return StoredTensor(path, DTYPES[dtype], tuple(shape), start)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _damaged(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} is damaged: {problem}.", "Expected a whole safetensors file.", "Download or copy it again."
    )
