"""HDF5 files written through a file of our own, because HDF5 itself cannot tell of a full disk in a sentence."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


class _Sink(io.RawIOBase):
    """A file that remembers the first write that failed, and lets HDF5 believe that all went well.

    Told of a failure, HDF5 prints one for each object that is still open, and may do so until the process ends.
    """

    def __init__(self, handle: io.FileIO) -> None:
        self._handle = handle
        self.failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self.failure is None:
            try:
                left = left[self._handle.write(left) :]
            except OSError as e:
                self.failure = e
        return size

    def truncate(self, size: int | None = None, /) -> int:
        if self.failure is None:
            try:
                return self._handle.truncate(size)
            except OSError as e:
                self.failure = e
        return size or 0

    def readinto(self, buffer: Any, /) -> int:
        return self._handle.readinto(buffer)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._handle.seek(offset, whence)

    def tell(self) -> int:
        return self._handle.tell()


@contextmanager
def writing(file: Path, **options: Any) -> Iterator[Any]:
    """A new HDF5 file to be written in the block; options are those of `h5py.File`.

    Raises:
        OSError: it could not be written, for what reason the operating system says.
    """
    with io.FileIO(file, "w+") as handle:
        sink = _Sink(handle)
        with h5py.File(sink, "w", **options) as h5:
            yield h5
        if sink.failure is not None:
            raise sink.failure
