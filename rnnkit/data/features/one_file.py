"""Files of features one by one: what each has, and all its rows from the first to the last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from rnnkit.data.features.interface import check_finite
from rnnkit.data.features.maps import said_in
from rnnkit.data.features.reading import find_dataset, open_hdf5, reading
from rnnkit.kinds.arrays import Array, DType

BLOCK_BYTES = 16 * 2**20
"""How much of a file is looked at in one piece when all of it is."""


@attrs.frozen
class Header:
    """What a file has: so many rows of a shape and a type, the layout it names, compressed or not."""

    rows: int
    row: tuple[int, ...]
    stored: DType
    layout: str | None
    packed: bool


def read_header(path: Path) -> Header:
    """What a file says it has; DataError if it cannot be read."""
    with open_hdf5(path) as file:
        dataset = _find(file, path)
        rows, *row = dataset.shape
        packed = dataset.id.get_create_plist().get_nfilters() > 0
        with reading(path):
            said = said_in(dataset)
        return Header(rows, tuple(row), dataset.dtype, said, packed)


def blocks(paths: Sequence[Path]) -> Iterator[Array]:
    """All rows from first to last as they are stored, flat, looked at, in pieces of whole chunks."""
    for path in paths:
        with open_hdf5(path) as file:
            dataset = _find(file, path)
            n, *row = dataset.shape
            rows = max(1, BLOCK_BYTES // (math.prod(row) * dataset.dtype.itemsize))
            chunk = dataset.chunks[0] if dataset.chunks else 1
            if rows > chunk:
                rows -= rows % chunk
            for start in range(0, n, rows):
                with reading(path):
                    block: Array = dataset[start : start + rows]
                block = block.reshape(len(block), -1)
                check_finite(str(path), np.arange(start, start + len(block)), block)
                yield block


def _find(file: Any, path: Path) -> Any:
    return find_dataset(file, path, ("features",), np.floating, ("images", "width"), True)
