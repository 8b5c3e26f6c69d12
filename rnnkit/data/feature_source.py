"""Features of images that are in no split yet, from an HDF5 file or a NumPy one, read in blocks of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from rnnkit.data.annotations import ImageId
from rnnkit.data.reading import find_dataset, open_hdf5, reading
from rnnkit.errors import DataError
from rnnkit.kinds.arrays import Array, DType

BLOCK_BYTES = 16 * 2**20
"""How much is read in one piece."""

_IDS = ("image_ids", "ids")


@attrs.frozen(eq=False)
class FeatureSource:
    """Open features.

    Attributes:
        path: of the file.
        ids: of the image of each row, if the file says them.
    """

    path: Path
    ids: list[ImageId] | None
    _values: Any

    def __len__(self) -> int:
        return len(self._values)

    @property
    def width(self) -> int:
        """F."""
        return int(self._values.shape[1])

    @property
    def dtype(self) -> DType:
        """What rows are read as: half or single precision."""
        stored: DType = self._values.dtype
        return np.dtype(np.float16 if stored.itemsize == 2 else np.float32)

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """All rows from first to last, as (number of the first row, rows).

        Raises:
            DataError: a value is not finite in single precision, or the file is damaged.
        """
        step = max(1, BLOCK_BYTES // (self.width * self._values.dtype.itemsize))
        for start in range(0, len(self), step):
            with reading(self.path), np.errstate(over="ignore"):
                block: Array = np.asarray(self._values[start : start + step]).astype(self.dtype)
            finite = np.isfinite(block)
            if not finite.all():
                row, column = np.argwhere(~finite)[0].tolist()
                raise DataError(
                    f"{self.path}: the feature in row {start + row}, column {column} is "
                    f"{block[row, column]}, but features must be finite (in float32); compute that "
                    "image's features again, or leave it out"
                )
            yield start, block


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[FeatureSource]:
    """Open features, (images, width), floating-point.

    Args:
        path: a NumPy file if it ends in .npy; else an HDF5 file with the dataset `features` and perhaps
            `image_ids` (or `ids`), the image of each row.

    Raises:
        DataError: the file is not of this form.
    """
    if path.suffix == ".npy":
        yield FeatureSource(path, None, _open_npy(path))
        return
    with open_hdf5(path) as file:
        values = find_dataset(file, path, ("features",), np.floating, ("images", "width"))
        yield FeatureSource(path, _read_ids(file, path, len(values)), values)


def _open_npy(path: Path) -> Any:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{path} is not a NumPy file, or damaged ({error}); write it again with numpy.save"
        ) from error
    if not (
        isinstance(values, np.ndarray)
        and np.issubdtype(values.dtype, np.floating)
        and values.ndim == 2
        and values.size
    ):
        found = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive"
        raise DataError(f"{path} has {found}, but must have floating-point numbers (images, width)")
    return values


def _read_ids(file: Any, path: Path, rows: int) -> list[ImageId] | None:
    with reading(path):
        name = next((name for name in _IDS if name in file), None)
        if name is None:
            return None
        found = np.ravel(file[name][()]).tolist()
        ids = [i.decode() if isinstance(i, bytes) else i for i in found]
    if len(ids) != rows:
        raise DataError(
            f"{path}: {name} has {len(ids)} rows, but features has {rows}; it must name the image of each"
        )
    if len(set(ids)) != rows:
        twice = next(i for i in ids if ids.count(i) > 1)
        raise DataError(f"{path}: {name} has {twice!r} twice; an image has one row of features")
    return ids
