"""Files that are whole or not there: written beside their place, flushed, and moved into it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from rnnkit.errors import CheckpointError


def write_whole(file: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a temporary file beside `file`, then put it in its place in one move.

    Raises:
        CheckpointError: it cannot be written; whatever stood at `file` is still there, whole.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(file)
    except OSError as e:
        reason = e.strerror or str(e).partition("\n")[0]
        raise CheckpointError(f"cannot write {file}: {reason}") from e
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_text_whole(file: Path, text: str) -> None:
    """The same for UTF-8 text."""
    write_whole(file, lambda temporary: _write_text(temporary, text))


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
