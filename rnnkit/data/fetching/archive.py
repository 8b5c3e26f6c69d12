"""Unpacking zip archives of strangers: known files only, no larger than they may be."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from rnnkit.errors import DataError
from rnnkit.system.why import ZIP, why

_BLOCK = 1 << 20

# What zipfile raises over damaged archives besides its own error.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class BadArchive(DataError):
    """An archive is damaged, or made to do harm."""


def unpack(
    archive: Path,
    into: Path,
    files: Collection[str],
    *,
    most: int,
    on_bytes: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Unpack the files of these names, from whatever folder of the archive, into one folder.

    Args:
        archive: a zip archive.
        into: an existing folder.
        files: names without a folder. The archive must have each once; its other files stay in it.
        most: bytes that the files may have together.
        on_bytes: told how many bytes are done, and how many there are.

    Raises:
        BadArchive: it is not a whole zip archive, is larger than it may be, or has a path or a link that
            leads out of it.
        DataError: it lacks a file, there is no room for the files, or they cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _find(archive, opened, files)
            total = _check_size(archive, entries, into, most)
            done = 0
            on_bytes(done, total)
            for name, entry in entries.items():
                with opened.open(entry) as source, (into / name).open("xb") as target:
                    # zipfile never gives more than entry.file_size bytes, whatever the packed data hold.
                    while block := source.read(_BLOCK):
                        target.write(block)
                        done += len(block)
                        on_bytes(done, total)
    except _DAMAGE as e:
        raise BadArchive(why(e, archive, ZIP)) from e
    except OSError as e:
        raise DataError(f"cannot unpack {archive} into {into.parent}: {e.strerror or e}") from e


def _find(
    archive: Path, opened: zipfile.ZipFile, files: Collection[str]
) -> Mapping[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in opened.infolist():
        if problem := _harm(entry):
            raise BadArchive(f"{archive} is unsafe: {entry.filename!r} {problem}")
        name = PurePosixPath(entry.filename).name
        if entry.is_dir() or name not in files:
            continue
        if name in found:
            raise BadArchive(f"{archive} has two files called {name}")
        found[name] = entry
    if missing := [name for name in files if name not in found]:
        raise DataError(f"{archive} lacks {', '.join(missing)}; put the right archive in its place")
    return found


def _harm(entry: zipfile.ZipInfo) -> str | None:
    """What is wrong with an entry, if anything; of any entry, for a good archive has none of this."""
    if not entry.filename:
        return "has no name"
    path = PureWindowsPath(entry.filename)  # it splits at both kinds of slash
    if path.anchor:
        return "is an absolute path"
    if ".." in path.parts:
        return "leads out of the archive"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Of the other methods zipfile unpacks a block at once, however large it becomes.
        return "is packed in a way that rnnkit does not unpack"
    return None


def _check_size(
    archive: Path, entries: Mapping[str, zipfile.ZipInfo], into: Path, most: int
) -> int:
    total = sum(entry.file_size for entry in entries.values())
    if total > most:
        raise BadArchive(
            f"{archive} would unpack to {total:,} bytes, more than the {most:,} allowed"
        )
    free = shutil.disk_usage(into).free
    if total > free:
        raise DataError(
            f"{archive} unpacks to {total:,} bytes, but {into.parent} has room for {free:,}; make room and "
            "run the same command again"
        )
    return total
