"""HDF5 files that come from strangers: the tensors that lie in the file itself, and nothing beside it."""

import math
from collections.abc import Iterator
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np

from tfplm.errors import UserError
from tfplm.interop.tensors import Tensors

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_DEEPEST = 64
_LARGEST_COMPACT = 1 << 16  # bytes of a dataset that HDF5 keeps in its header
_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # what h5py raises for damaged files


class H5File(Tensors):
    """The datasets of an HDF5 file by their paths, such as ``layers/dense/vars/0``.

    Links to elsewhere, storage outside the file, compression and virtual datasets are refused: Keras writes none.

    Args:
        path: of the file.

    Raises:
        UserError: the file is damaged or holds what is refused.
    """

    def __init__(self, path: Path):
        self.origin = str(path)
        try:
            with path.open("rb") as file:
                is_hdf5 = file.read(len(_SIGNATURE)) == _SIGNATURE
            if not is_hdf5:
                raise UserError(f"{path} is no HDF5 file.", "Expected the weights that Keras saved.")
            self._file = h5py.File(path, "r")
            self._size = path.stat().st_size
            self._datasets = dict(self._walk(self._file, "", set()))
        except _ERRORS as error:
            raise self._damaged(error) from error

    def names(self) -> tuple[str, ...]:
        return tuple(self._datasets)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._datasets[name].shape

    def dtype(self, name: str) -> np.dtype:
        dtype = self._datasets[name].dtype
        return np.dtype(ml_dtypes.bfloat16) if dtype.kind == "V" else dtype

    def read(self, name: str) -> np.ndarray:
        return self._read(name, ())

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """A part of a tensor along its first axis."""
        return self._read(name, slice(start, stop))

    def _read(self, name: str, part: tuple | slice) -> np.ndarray:
        dataset = self._datasets[name]
        try:
            value = np.asarray(dataset[part])
        except _ERRORS as error:
            raise self._damaged(error) from error
        return value.view(self.dtype(name))

    def _walk(self, group: h5py.Group, prefix: str, above: set) -> Iterator[tuple[str, h5py.Dataset]]:
        address = h5py.h5o.get_info(group.id).addr
        if address in above or len(above) > _DEEPEST:
            raise UserError(f"{self.origin}: the groups under {prefix!r} have no end.", "Expected groups in a tree.")
        for key in group:
            name = f"{prefix}{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise UserError(
                    f"{self.origin}: {name!r} is a link to elsewhere.", "Expected weights in the file itself."
                )
            item = group[key]
            if isinstance(item, h5py.Group):
                yield from self._walk(item, f"{name}/", above | {address})
            elif isinstance(item, h5py.Dataset):
                self._check(name, item)
                yield name, item

    def _check(self, name: str, dataset: h5py.Dataset) -> None:
        if dataset.external or dataset.is_virtual or dataset.chunks or dataset.shape is None:
            raise UserError(
                f"{self.origin}: {name!r} is stored outside the file, compressed or in pieces.",
                "Expected plain weights, as Keras saves them.",
            )
        is_bfloat16 = dataset.dtype == np.dtype("V2") and dataset.attrs.get("dtype") == "bfloat16"
        if dataset.dtype.kind not in "fiub" and not is_bfloat16:
            raise UserError(f"{self.origin}: {name!r} has the dtype {dataset.dtype}.", "Expected numbers.")
        num_bytes = math.prod(dataset.shape) * dataset.dtype.itemsize
        start = dataset.id.get_offset()
        is_there = num_bytes <= _LARGEST_COMPACT if start is None else start + num_bytes <= self._size
        if num_bytes and not (is_there and dataset.id.get_storage_size() == num_bytes):
            raise UserError(
                f"{self.origin} is damaged: the values of {name!r} are not in it.", "Expected a whole file."
            )

    def _damaged(self, error: Exception) -> UserError:
        return UserError(f"{self.origin} is damaged: {error}.", "Expected the weights that Keras saved.")
