"""NumPy archives (.npz): an array with the features of all images, or one for each image."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

import attrs
import numpy as np

from rnnkit.data.preparing.feature_files.file import (
    FEATURES,
    IDS,
    FeatureFile,
    ids_of_rows,
    map_layout,
    no_features,
    one_by_one,
)
from rnnkit.data.preparing.feature_files.npy import reading_numpy
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType
from rnnkit.system.why import check_ordinary

NPZ: Final = "a NumPy archive (.npz)"

_HEADERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def open_npz(path: Path, layout: str | None, dataset: str | None, opened: ExitStack) -> FeatureFile:
    """An archive that stays open with the stack.

    The features are the array called `features`, or as the user says; with `image_ids` or `ids` beside it or not. An
    archive without it has an array for each image, or only one.
    """
    with reading_numpy(path, NPZ):
        members = _members(path, opened)
    wanted = dataset or FEATURES
    arrays = [name for name in members if name not in IDS]
    if dataset is None and wanted not in members and len(arrays) == 1:
        wanted = arrays[0] if len(_header(path, members, arrays[0]).shape) > 1 else wanted
    if wanted not in members:
        if dataset is not None or not arrays or len(arrays) < len(members):
            raise no_features(path, wanted, list(members))
        return one_by_one(path, arrays, lambda name: _header(path, members, name), layout)
    values = _header(path, members, wanted)
    if not np.issubdtype(values.dtype, np.floating) or len(values.shape) < 2 or 0 in values.shape:
        raise DataError(
            f"{path}: {wanted} is {values.dtype} {values.shape}, but must be floating-point numbers "
            "(images, width), or maps"
        )
    ids = next((name for name in IDS if name in members), None)
    return FeatureFile(
        path,
        values.shape,
        values.dtype,
        map_layout(path, values.shape[1:], layout),
        values.rows,
        lambda: (
            None
            if ids is None
            else ids_of_rows(path, ids, _header(path, members, ids), values.shape[0])
        ),
        ids,
    )


@attrs.frozen(eq=False)
class _Member:
    """An array in an archive, of which no more than is asked for is in memory.

    Attributes:
        path: of the archive.
        open: gives its bytes from the first one.
        begin: where its values begin.
    """

    path: Path
    open: Callable[[], IO[bytes]]
    shape: tuple[int, ...]
    dtype: DType
    fortran: bool
    begin: int
    _stream: list[IO[bytes]] = attrs.field(factory=list)

    def rows(self, first: int, last: int) -> Array:
        """Those from the first to before the last; the archive is unpacked once if they rise."""
        if self.fortran:
            return np.array(self.__array__()[first:last])
        shape = (last - first, *self.shape[1:])
        size = int(np.prod(shape[1:], dtype=np.int64)) * self.dtype.itemsize

        with reading_numpy(self.path, NPZ):
            if not self._stream:
                self._stream.append(self.open())
            self._stream[0].seek(self.begin + first * size)
            data = self._stream[0].read(shape[0] * size)
        if len(data) < shape[0] * size:
            raise DataError(f"{self.path} is cut short; write or download it again")
        return np.frombuffer(data, self.dtype).reshape(shape)

    def __array__(self, dtype: DType | None = None, copy: bool | None = None) -> Array:
        """All values."""
        with reading_numpy(self.path, NPZ), self.open() as stream:
            values: Array = np.lib.format.read_array(stream, allow_pickle=False)
        return values


def _members(path: Path, opened: ExitStack) -> dict[str, Callable[[], IO[bytes]]]:
    check_ordinary(path)
    archive = opened.enter_context(zipfile.ZipFile(path))

    def opener(name: str) -> Callable[[], IO[bytes]]:
        return lambda: archive.open(name)

    return {
        name.removesuffix(".npy"): opener(name)
        for name in archive.namelist()
        if name.endswith(".npy")
    }


def _header(path: Path, members: dict[str, Callable[[], IO[bytes]]], name: str) -> _Member:
    with reading_numpy(path, NPZ), members[name]() as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of version {version} of NumPy's form")
        shape, fortran, dtype = _HEADERS[version](stream)
        return _Member(path, members[name], shape, dtype, fortran, stream.tell())
