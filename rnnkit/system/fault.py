"""The last net: whatever escapes as an exception is said in one sentence, and its traceback kept in a file."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import traceback
from typing import Final

from rnnkit.errors import RnnkitError, quoted, told
from rnnkit.system.version import __version__

MISTAKE: Final = 2
"""Exit code of what the user can mend."""

_OF_THE_SYSTEM: Final = (
    errno.ENAMETOOLONG,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
)
"""What no program can mend: a name that is too long, a disk that is full, what is not allowed."""

FAULT: Final = 70
"""Exit code of what is wrong with rnnkit itself (EX_SOFTWARE of sysexits.h)."""


def said_of(error: BaseException, culprit: str | None = None) -> tuple[str, int]:
    """What to say of an error that ends the program, and the exit code.

    Args:
        error: of any type. Of one that is not for users, the traceback goes into a new file among the temporary ones.
        culprit: what to say of it if it is the fault of a plugin.
    """
    if isinstance(error, RnnkitError):
        return str(error), MISTAKE
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, MemoryError):
        return f"the memory of this machine is not enough: {error or 'no more can be had'}", MISTAKE
    if culprit is not None:
        return f"{culprit}; {_details(error)}", MISTAKE
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        place = "" if error.filename is None else f" {quoted(str(error.filename))}"
        return f"the system refuses{place}: {error.strerror}", MISTAKE
    return (
        f"this is a fault of rnnkit, not yours: {told(error)}; please report it to its authors: {_details(error)}",
        FAULT,
    )


def _details(error: BaseException) -> str:
    file = _kept(error)
    return f"the details are in {file}" if file else "its details could not be written anywhere"


def _kept(error: BaseException) -> str | None:
    """The path of a file that has all there is to report."""
    try:
        number, file = tempfile.mkstemp(prefix="rnnkit-fault-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(f"rnnkit {__version__}, Python {platform.python_version()}\n")
            out.write(f"{platform.platform()}\n{sys.argv}\n\n")
            out.write("".join(traceback.format_exception(error)))
    except Exception:  # a full disk, or an error that fails to say what it is
        return None
    return file
