"""The border to h5py, which has no types: HDF5 files opened and looked at, with DataErrors for what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rnnkit.errors import DataError, listed
from rnnkit.system.hdf5 import open_to_read, take
from rnnkit.system.why import HDF5, why


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """An HDF5 file open for reading; DataError if it cannot be opened."""
    with reading(path):
        file = open_to_read(path)
    try:
        yield file
    finally:
        file.close()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever h5py raises about a file into a DataError that says why."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise DataError(why(error, path, HDF5)) from error


def names_in(file: Any) -> list[str]:
    """The names in an open file; h5py gives bytes for what is not UTF-8."""
    return [name if isinstance(name, str) else repr(name) for name in file]


def called(paths: Sequence[Path]) -> str:
    """What errors call some files."""
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} .. {paths[-1].name}"


def find_dataset(
    file: Any,
    path: Path,
    names: tuple[str, ...],
    kind: type[np.generic],
    axes: tuple[str, ...],
    or_more: bool = False,
) -> Any:
    """The dataset of an open file that has one of these names, checked.

    Args:
        file: the open file.
        path: its path.
        names: in order of preference.
        kind: np.integer or np.floating.
        axes: what its axes stand for; none of them may be of length 0.
        or_more: whether the last of them may be several.

    Raises:
        DataError: there is none, or it is of another type or rank, or empty.
    """
    with reading(path):
        name = next((name for name in names if file.id.links.exists(name.encode())), None)
        if name is None:
            raise DataError(
                f"{path} has no dataset {' or '.join(names)}; it has {listed(names_in(file))}"
            )
        dataset = take(file, name)
        if not isinstance(dataset, h5py.Dataset):
            raise DataError(f"{path}: {name} is not a dataset, but a {type(dataset).__name__}")
        dtype, shape = dataset.dtype, dataset.shape
    if not np.issubdtype(dtype, kind):
        expected = "integers" if kind is np.integer else "floating-point numbers"
        raise DataError(f"{path}: {name} is of type {dtype}, but must be {expected}")
    if shape is None or len(shape) < len(axes) or (len(shape) > len(axes) and not or_more):
        raise DataError(f"{path}: {name} has the shape {shape}, but must be ({', '.join(axes)})")
    if 0 in shape:
        raise DataError(
            f"{path}: {name} is empty, of shape {shape}; write it again with its values"
        )
    return dataset
