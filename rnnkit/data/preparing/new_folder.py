"""A folder that appears whole or not at all, whether one process writes it or several."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rnnkit.errors import DataError
from rnnkit.parallel import Ranks
from rnnkit.system.files import can_lock, sole_owner


@contextlib.contextmanager
def new_folder(out: Path, ranks: Ranks) -> Iterator[Path]:
    """A hidden folder beside `out`, on the same file system, which takes its place if all goes well.

    What a rank does in it, it does under `Ranks.first` or `Ranks.each` and `writing`: so all leave together.

    Raises:
        DataError: `out` exists, or the hidden folder, or it cannot be made or moved.
    """
    part = part_of(out)
    with contextlib.ExitStack() as entered:
        ranks.first(partial(_make, part, out, entered))
        try:
            yield part
            ranks.first(partial(_move, part, out))
        finally:
            if ranks.rank == 0:
                shutil.rmtree(part, ignore_errors=True)


def part_of(out: Path) -> Path:
    """The hidden folder."""
    return out.with_name(f".{out.name}.part")


@contextlib.contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turn what the system says of a disk into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write the data to {out}: {error.strerror or error}; make room there, or name another "
            "folder"
        ) from error


def _make(part: Path, out: Path, entered: contextlib.ExitStack) -> None:
    """Make the hidden folder, and hold it; one that nobody holds is of a process that was killed."""
    if os.path.lexists(out):
        raise DataError(f"{out} exists; name a new folder, or delete it")
    with writing(out):
        if part.exists() and can_lock(part):
            shutil.rmtree(part)
        if part.exists():
            raise DataError(
                f"{part} exists: something is writing {out}, or was killed; delete it if nothing is"
            )
        part.mkdir(parents=True)
        entered.enter_context(sole_owner(part))


def _move(part: Path, out: Path) -> None:
    with writing(out):
        part.rename(out)
