"""HDF5 files written through a file of our own, because HDF5 itself cannot tell of a full disk in a sentence."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from rnnkit.system.sink import Sink


@contextmanager
def writing(file: Path, **options: Any) -> Iterator[Any]:
    """A new HDF5 file to be written in the block; options are those of `h5py.File`.

    Told of a failure, HDF5 prints one for each object that is still open, and may do so until the process ends.

    Raises:
        OSError: it could not be written, for what reason the operating system says.
    """
    with io.FileIO(file, "w+") as handle:
        sink = Sink(handle)
        with h5py.File(sink, "w", **options) as h5:
            yield h5
        if sink.failure is not None:
            raise sink.failure
