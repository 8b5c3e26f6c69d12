"""The files that features are in: one, or shards, whose rows follow each other.

features_train.h5
features_train-00000-of-00002.h5, features_train-00001-of-00002.h5
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path, PurePath

from rnnkit.errors import DataError


def file_names(name: str, count: int) -> list[str]:
    """What the files are called that features are written to: `name`, or that many shards of it."""
    return [name] if count == 1 else [_shard(name, number, count) for number in range(count)]


def find_files(folder: Path, name: str, present: Collection[str]) -> list[Path]:
    """The file of this name, or its shards in order; nothing if neither is there.

    Args:
        folder: where they are.
        name: of the one file.
        present: the names of all that is in the folder.

    Raises:
        DataError: both are there, or shards of two sets, or only some of a set.
    """
    of = {file: count for file in sorted(present) if (count := _count(name, file))}
    if not of:
        return [folder / name] if name in present else []
    first, count = next(iter(of.items()))
    if name in present:
        raise DataError(
            f"{folder / name} and shards of it, such as {first}, are both there; remove one or the other"
        )
    other = next((file for file in of if of[file] != count), None)
    if other is not None:
        raise DataError(
            f"{folder / first} is one of {count} shards, but {other} one of {of[other]}; remove those of "
            "one set"
        )
    missing = next((n for n in range(count) if _shard(name, n, count) not in of), None)
    if missing is not None:
        raise DataError(
            f"{folder / _shard(name, missing, count)} is missing: there are {len(of)} of {count} shards; "
            "add the others"
        )
    return [folder / _shard(name, number, count) for number in range(count)]


def _shard(name: str, number: int, count: int) -> str:
    path = PurePath(name)
    return f"{path.stem}-{number:05}-of-{count:05}{path.suffix}"


def _count(name: str, file: str) -> int:
    """How many shards `file` says there are of the file `name`; 0 if it is none of them."""
    numbers = re.search(r"-([0-9]{5,})-of-([0-9]{5,})", file.removeprefix(PurePath(name).stem))
    number, count = map(int, numbers.groups()) if numbers else (0, 0)
    return count if number < count and file == _shard(name, number, count) else 0
