"""How long the texts of a dataset say that they are: HDF5 takes memory for that before it looks whether they are there.

A text of any length stands elsewhere in the file. The dataset has its length and its place, which a file can lie about.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5py
import numpy as np

from rnnkit.system.memory import size
from rnnkit.system.why import Refused


def check_lengths(dataset: Any, name: str) -> None:
    """That the texts of a dataset, or other values of any length, are together no longer than its file.

    Raises:
        Refused: they say that they are longer, or cannot be looked at beforehand.
    """
    if not dataset.dtype.hasobject or not dataset.size:
        return
    if dataset.dtype.kind != "O" or dataset.id.get_create_plist().get_layout() == h5py.h5d.COMPACT:
        raise Refused(
            f"has {name} as values whose lengths cannot be looked at before they are read; write them as plain texts"
        )
    there = _bytes_of(dataset.file)
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    width = 1 if is_text else np.dtype(h5py.check_vlen_dtype(dataset.dtype)).itemsize
    declared = 0
    for lengths in _lengths(dataset):
        declared += width * int(lengths.sum(dtype=np.uint64))
        if declared > there:
            raise Refused(
                f"declares {size(declared)} as {name}, but has {size(there)} in all; write or download it again"
            )


def _lengths(dataset: Any) -> Iterator[Any]:
    """The first four bytes of what stands for each text are its length; behind them is its place."""
    address, _ = dataset.file.id.get_create_plist().get_sizes()
    bytes_of_each = np.dtype(f"V{8 + address}")
    for part in (_packed if dataset.chunks else _plain)(dataset, bytes_of_each):
        yield part.reshape(-1, 1).view("<u4")[:, 0]


def _plain(dataset: Any, kind: np.dtype[Any]) -> Iterator[Any]:
    raw = _bytes_at(dataset.file, dataset.id.get_offset(), dataset.size * kind.itemsize)
    yield np.frombuffer(raw, kind, len(raw) // kind.itemsize)


def _bytes_at(file: Any, begin: int, count: int) -> bytes:
    """Bytes of the file that is open: another one may have taken its name meanwhile, as a run replaces its checkpoint."""
    count = min(count, _bytes_of(file))
    if hasattr(os, "pread"):
        return os.pread(file.id.get_vfd_handle(), count, begin)
    with Path(file.filename).open("rb") as same:  # on Windows, no file that is open can be replaced
        same.seek(begin)
        return same.read(count)


def _bytes_of(file: Any) -> int:
    return os.fstat(file.id.get_vfd_handle()).st_size


def _packed(dataset: Any, kind: np.dtype[Any]) -> Iterator[Any]:
    """Piece by piece, as HDF5 unpacks them in a file in memory, where they are bytes without a meaning."""
    own, settings = dataset.id, dataset.id.get_create_plist()
    settings.set_fill_value(np.zeros(1, kind))  # else it would be a text
    with h5py.File(uuid4().hex, "w", driver="core", backing_store=False) as memory:
        like = (h5py.h5t.py_create(kind), own.get_space(), settings)
        twin = h5py.Dataset(h5py.h5d.create(memory.id, b"raw", *like))
        for i in range(own.get_num_chunks()):
            info = own.get_chunk_info(i)
            _, packed = own.read_direct_chunk(info.chunk_offset)
            twin.id.write_direct_chunk(info.chunk_offset, packed, info.filter_mask)
        for piece in twin.iter_chunks():
            yield twin[piece].ravel()
