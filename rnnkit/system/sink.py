"""A file for writers that cannot be told of a failure where it happens."""

from __future__ import annotations

import io
from typing import Any


class Sink(io.RawIOBase):
    """A file that remembers the first write that failed, and lets its writer believe that all went well."""

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

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._handle.isatty()

    def fileno(self) -> int:
        return self._handle.fileno()
