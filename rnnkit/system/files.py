"""Files that are whole or not there: written beside their place, flushed, and moved into it."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rnnkit.errors import CheckpointError
from rnnkit.system.why import holder, special

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # there is none to be had


_WRITER: Final = re.compile(r"\.(?:(?P<host>\w+)-)?(?P<process>\d+)\.tmp$")
"""Who writes a temporary file: in its name."""


def write_whole(file: Path, write: Callable[[Path], None], previous: Path | None = None) -> None:
    """Let `write` make a temporary file beside `file`, then put it in its place in one move.

    Args:
        file: to be written; it is there, whole, at any moment.
        write: makes the file that it is given.
        previous: where the file that is replaced goes on; nowhere if left open.

    Raises:
        CheckpointError: it cannot be written; whatever stood at `file` and at `previous` is still there.
    """
    check_replaceable(file)
    temporary = _beside(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        if previous is not None and file.exists():
            _keep_as(file, previous)
        temporary.replace(file)
        _flush_folder(file.parent)
    except OSError as e:
        reason = e.strerror or str(e).partition("\n")[0]
        raise CheckpointError(f"cannot write {file}: {reason}") from e
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def check_replaceable(file: Path) -> None:
    """That a file may be put somewhere: nothing is there, or a file. A device that it is moved over is gone for all.

    Raises:
        CheckpointError: a folder, a pipe, a socket or a device is there, or a link to one.
    """
    with contextlib.suppress(OSError):
        if name := special(file):
            raise CheckpointError(
                f"cannot write {file}: it is {name}, which no file can replace; name another file"
            )


def write_text_whole(file: Path, text: str) -> None:
    """The same for UTF-8 text; half characters, such as bytes of a path that are no UTF-8, are written as escapes."""
    write_whole(file, lambda temporary: _write_text(temporary, text))


def write_text_new(file: Path, text: str) -> None:
    """Write UTF-8 text into a file that must not be there yet.

    Raises:
        CheckpointError: it is there, or cannot be written.
    """
    if file.exists() or file.is_symlink():
        raise CheckpointError(f"{file} exists, and is not overwritten; give another name")
    write_text_whole(file, text)


def files_below(folder: Path) -> list[Path]:
    """What is in a folder, and in those in it, but folders; by name.

    Links to folders are not followed. What may not be entered, or vanishes meanwhile, is left out.
    """
    return sorted(Path(at, name) for at, _, names in os.walk(folder) for name in names)


def remove_left_over(folder: Path) -> None:
    """Remove what writers that were killed on this machine have left half done in a folder; others are at work yet."""
    for left in folder.glob(".*.tmp"):
        found = _WRITER.search(left.name)
        if found and found["host"] in (None, _host()) and not _lives(int(found["process"])):
            with contextlib.suppress(OSError):
                left.unlink()


@contextlib.contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Hold a folder while the block runs; the system lets it go when the process dies, however that comes.

    Where the system or its file system has no such locks, nothing is held.

    Raises:
        CheckpointError: another process, or another block of this one, holds it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(handle)
        raise CheckpointError(
            f"{folder} is in use: {holder(folder)} works there; wait until it has ended, or end it"
        ) from e
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(handle)


def can_lock(folder: Path) -> bool:
    """Whether the system and its file system have locks that `sole_owner` can hold."""
    if fcntl is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.{_host()}-{os.getpid()}.tmp")


def _host() -> str:
    """This machine, as a part of a file's name."""
    return re.sub(r"\W", "_", platform.node()) or "_"


def _lives(process: int) -> bool:
    if os.name != "posix":
        return True  # there, no file that is open can be removed, and asking may end the process
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return process > 0


def _keep_as(file: Path, other: Path) -> None:
    """Give a file a second name, in the place of what stands there."""
    temporary = _beside(other)
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    try:
        os.link(file, temporary)
    except OSError:  # not every file system has second names
        shutil.copyfile(file, temporary)
    temporary.replace(other)


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", errors="backslashreplace")


def _flush_folder(folder: Path) -> None:
    """Have the folder's new entry on the disk, too, where the system can do that."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
