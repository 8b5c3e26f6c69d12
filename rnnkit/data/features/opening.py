"""Opening features: small ones are held in memory, of large ones rows are read as they are wanted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from rnnkit.data.features.held import HeldFeatures
from rnnkit.data.features.in_files import FileFeatures, OpenFiles
from rnnkit.data.features.interface import Features
from rnnkit.data.features.maps import channels_first, in_file, map_of
from rnnkit.data.features.one_file import blocks, read_header
from rnnkit.data.features.reading import called
from rnnkit.errors import DataError

HELD_BYTES = 256 * 2**20
"""Features that take no more than this in memory are read once and held."""

CACHE_BYTES = 32 * 2**20
"""HDF5's cache of unpacked chunks, for compressed files."""


def open_features(*paths: Path) -> Features:
    """Open the dataset `features`, flat (n, F) or of feature maps, of files whose rows follow each other.

    Features that are held are looked at, all of them; others when they are read, or with `check`.

    Raises:
        DataError: a file cannot be read, or is not like the others; or features to be held are not finite.
    """
    headers = [read_header(path) for path in paths]
    first = headers[0]
    for path, header in zip(paths, headers, strict=True):
        if (header.row, header.stored) != (first.row, first.stored):
            raise DataError(
                f"{path} has rows of shape {header.row} and type {header.stored}, but {paths[0]} of "
                f"{first.row} and {first.stored}; shards of one split must be alike"
            )
        if header.layout != first.layout:
            raise DataError(
                f"{path} has rows of the layout {header.layout}, but {paths[0]} of {first.layout}; shards of "
                "one split must be alike"
            )
    where = f"{paths[0]}: features"
    of = map_of(first.row, first.layout, where, in_file(paths[0]), as_before=True)
    bounds = np.cumsum([0, *(header.rows for header in headers)])
    n, width, stored = int(bounds[-1]), math.prod(first.row), first.stored
    in_memory = np.result_type(stored, np.float32)
    if n * width * in_memory.itemsize > HELD_BYTES:
        # An unpacked chunk must be kept for its next row, but a plain file is best read past the cache,
        # which fetches whole chunks where rows would do.
        packed = any(header.packed for header in headers)
        return FileFeatures(
            paths,
            (n, width),
            stored,
            of,
            first.row,
            bounds,
            OpenFiles(CACHE_BYTES if packed else 0),
        )
    values = np.empty((n, width), in_memory)
    done = 0
    for block in blocks(paths):
        values[done : done + len(block)] = channels_first(block, of)
        done += len(block)
    values.flags.writeable = False
    return HeldFeatures(values, called(paths), stored, len(paths), of)
