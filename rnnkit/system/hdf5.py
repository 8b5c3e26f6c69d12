"""HDF5 files: written so that a full disk is told in a sentence, read so that nothing outside of them is.

They are written through a file of our own, because HDF5 itself cannot tell of a full disk in a sentence. What is read
is taken with `take`, because a file may say that its values stand in any other file of the reader's.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py

from rnnkit.system.hdf5_texts import check_lengths
from rnnkit.system.memory import memory, size
from rnnkit.system.sink import Sink
from rnnkit.system.why import Refused, check_ordinary

# Those of HDF5 itself, and LZF, which h5py brings. Any other is loaded from a library when data are read.
_FILTERS: Final = (1, 2, 3, 4, 5, 6, 32000)

_PIECE: Final = 2**30
"""Bytes that are unpacked at once, at most, to read any value among them."""

_HOPS: Final = 16
"""Soft links one after the other that are followed."""


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


def open_to_read(path: Path, **options: Any) -> Any:
    """An HDF5 file, open for reading; options are those of `h5py.File`.

    Raises:
        OSError: it cannot be opened; or it is a Refused.
    """
    check_ordinary(path)
    return h5py.File(path, "r", **options)


def take(group: Any, name: str) -> Any:
    """What an open file, or a group of it, has under a name: a dataset with all its values in the file, or a group.

    Args:
        group: the file or the group.
        name: may have slashes.

    Raises:
        KeyError: there is nothing of this name.
        Refused: it leads out of the file, or its values do, or are not all there.
    """
    found = _follow(group, name, _HOPS)
    if isinstance(found, h5py.Dataset):
        _check_values(found, name)
    return found


def store(group: Any, name: str, values: Any, chunks: tuple[int, ...] | bool = True) -> Any:
    """Write a dataset with a checksum for each piece (Fletcher-32), so that reading it notices damage.

    Any value of a piece costs all of it to read: this is for what is read whole.
    """
    return group.create_dataset(name, data=values, chunks=chunks, fletcher32=True)


def read(group: Any, name: str) -> Any:
    """All values of a dataset of numbers.

    Raises:
        KeyError: there is nothing of this name.
        Refused: see `take`; or it is no dataset of numbers, or has more than the memory takes.
    """
    dataset = take(group, name)
    numbers = isinstance(dataset, h5py.Dataset) and dataset.dtype.kind in "iufb"
    if not numbers or dataset.shape is None:
        raise Refused(f"has {name} as something else than numbers; write or download it again")
    if dataset.nbytes > memory():
        raise Refused(
            f"declares {size(dataset.nbytes)} as {name}, but the memory of this machine is {size(memory())}; write or "
            "download it again"
        )
    return dataset[()]


def read_text(group: Any, name: str) -> str:
    """The text of a dataset that holds one.

    Raises:
        KeyError: there is nothing of this name.
        Refused: see `take`; or it is no text.
    """
    dataset = take(group, name)
    if (
        not isinstance(dataset, h5py.Dataset)
        or dataset.shape != ()
        or h5py.check_string_dtype(dataset.dtype) is None
    ):
        raise Refused(f"has {name} as something else than a text; write or download it again")
    text: str = dataset.asstr()[()]
    return text


def _follow(group: Any, name: str, hops: int) -> Any:
    """Link by link: HDF5 would open the file that an external link names."""
    if not isinstance(name, str):  # as h5py gives a name that it cannot decode
        raise Refused(f"has the name {name!r}, which is no text; write or download it again")
    found = group.file if name.startswith("/") else group
    for part in name.split("/"):
        if part in ("", "."):
            continue
        if not isinstance(found, h5py.Group) or not found.id.links.exists(part.encode()):
            raise KeyError(name)
        kind = found.id.links.get_info(part.encode()).type
        if kind == h5py.h5l.TYPE_SOFT:
            if not hops:
                raise Refused(f"has the link {name}, which leads back to itself; write it again")
            found = _follow(found, found.get(part, getlink=True).path, hops - 1)
        elif kind == h5py.h5l.TYPE_HARD:
            found = found[part]
        else:
            raise Refused(
                f"has {name} as a link to another file, which is not read; copy the values into this file"
            )
    return found


def _check_values(dataset: Any, name: str) -> None:
    where = dataset.external
    if where:
        raise Refused(
            f"has the values of {name} in another file ({where[0][0]}), which is not read; copy them into this file"
        )
    if dataset.is_virtual:
        raise Refused(
            f"has {name} as a virtual dataset, made of others, which are not read; copy their values into this file"
        )
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        raise Refused(
            f"has references as the values of {name}, which are not read; write the values themselves"
        )
    settings = dataset.id.get_create_plist()
    for i in range(settings.get_nfilters()):
        number, _, _, label = settings.get_filter(i)
        if number not in _FILTERS:
            raise Refused(
                f"has {name} packed by the filter {number} ({label.decode(errors='replace') or 'no name'}), which "
                "is not one of HDF5's own; write it with gzip, or without"
            )
    if not dataset.size:
        return
    if dataset.chunks:
        piece = math.prod(dataset.chunks) * dataset.dtype.itemsize
        if piece > _PIECE:
            raise Refused(
                f"has {name} in pieces of {size(piece)}, each of which must be read whole; write it with chunks of "
                f"{size(_PIECE)} at most"
            )
        sides = zip(dataset.shape, dataset.chunks, strict=True)
        wanted, there = math.prod(-(-n // side) for n, side in sides), dataset.id.get_num_chunks()
        if there < wanted:
            raise Refused(
                f"is half written: {name} has {there:,} of its {wanted:,} pieces; write or download it again"
            )
    elif settings.get_layout() == h5py.h5d.CONTIGUOUS and not dataset.id.get_storage_size():
        raise Refused(f"is half written: {name} has no values; write or download it again")
    check_lengths(dataset, name)
