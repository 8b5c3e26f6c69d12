"""Large arrays of which little is ever written."""

from __future__ import annotations

import math
import mmap
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy.typing as npt

LARGE: Final = 1 << 22
"""Bytes from which on NumPy asks for pages of 2 MiB."""


def mostly_zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """`np.zeros` for an array of which a few rows are written: others take no memory.

    Of the array that NumPy makes, every page of 2 MiB that has one of these rows takes it whole: of scattered rows that
    is soon all of it.
    """
    import numpy as np

    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE or not hasattr(mmap, "MADV_NOHUGEPAGE"):  # not Linux
        return np.zeros(shape, dtype)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(pages, dtype).reshape(shape)
