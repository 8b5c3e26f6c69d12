"""NumPy files: one with the features of all images, or a folder with one for each."""

from __future__ import annotations

import contextlib
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from rnnkit.data.preparing.feature_files.file import FeatureFile, map_layout, one_by_one
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array
from rnnkit.system.files import files_below
from rnnkit.system.why import NPY, check_ordinary, why

_DAMAGED: Final = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def open_npy(path: Path, layout: str | None) -> FeatureFile:
    """A file with an array (images, F), or of maps, in the order of the images."""

    def read(first: int, last: int) -> Array:
        # Mapped anew each time: of a map that stays, all that was ever read counts as this process's memory.
        return np.array(_open(path)[first:last])

    values = _open(path)
    if not (np.issubdtype(values.dtype, np.floating) and values.ndim >= 2 and values.size):
        raise DataError(
            f"{path} has {values.dtype} {values.shape}, but must have floating-point numbers "
            "(images, width), or maps"
        )
    found = map_layout(path, values.shape[1:], layout)
    return FeatureFile(path, values.shape, values.dtype, found, read, lambda: None, None)


def open_folder(path: Path, layout: str | None) -> FeatureFile:
    """A folder, with folders in it or not, with a file for each image, named by it."""
    names = [
        file.relative_to(path).as_posix().removesuffix(".npy")
        for file in files_below(path)
        if file.suffix == ".npy"
    ]
    if not names:
        raise DataError(
            f"{path} is a folder, where a file must be; or put a .npy file with the features of each image into it"
        )
    return one_by_one(path, names, lambda name: _open(path / f"{name}.npy"), layout)


@contextlib.contextmanager
def reading_numpy(path: Path, reads: str) -> Iterator[None]:
    """Turn whatever NumPy and zipfile raise about a damaged file into a DataError that says why."""
    try:
        yield
    except _DAMAGED as error:
        raise DataError(why(error, path, reads)) from error


def _open(path: Path) -> Any:
    with reading_numpy(path, NPY):
        check_ordinary(path)
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(values, np.ndarray):
        values.close()
        raise DataError(f"{path} is a NumPy archive; let its name end in .npz")
    return values
