"""The last net: whatever escapes as an exception is said in one sentence, and its traceback kept in a file."""

from __future__ import annotations

import errno
import os
import platform
import sys
import sysconfig
import tempfile
import traceback
from importlib.metadata import distributions
from pathlib import Path
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

_OWN: Final = Path(__file__).parents[1]


def said_of(error: BaseException) -> tuple[str, int]:
    """What to say of an error that ends the program, and the exit code.

    Args:
        error: of any type. Of one that is not for users, the traceback goes into a new file among the temporary ones.
    """
    if isinstance(error, RnnkitError):
        return str(error), MISTAKE
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, MemoryError):
        return f"the memory of this machine is not enough: {error or 'no more can be had'}", MISTAKE
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        place = "" if error.filename is None else f" {quoted(str(error.filename))}"
        return f"the system refuses{place}: {error.strerror}", MISTAKE
    file = _kept(error)
    details = f"the details are in {file}" if file else "its details could not be written anywhere"
    if _is_of_a_plugin(error):
        return f"the code of a plugin has failed: {told(error)}; {details}", MISTAKE
    return (
        f"this is a fault of rnnkit, not yours: {told(error)}; please report it to its authors: {details}",
        FAULT,
    )


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


def _is_of_a_plugin(error: BaseException) -> bool:
    """Whether the innermost code that is rnnkit's or a plugin's, and not a library's, is a plugin's."""
    libraries = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    own, others = _packages()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(os.path.realpath(frame.filename))
        if file.is_relative_to(_OWN) or own & {*file.parts}:
            return False
        if frame.filename.startswith("<"):
            continue
        inside = next((Path(p) for p in libraries if file.is_relative_to(p)), None)
        if inside is None or others & {*file.relative_to(inside).parts}:
            return True
    return False


def _packages() -> tuple[set[str], set[str]]:
    """The packages that have plugins, as they are imported: rnnkit's own, and others."""
    own, others = set[str](), set[str]()
    try:
        for package in distributions():
            points = [p for p in package.entry_points if p.group.startswith("rnnkit.")]
            names = {p.module.partition(".")[0] for p in points}
            (own if package.name == "rnnkit" else others).update(names)
    except Exception:  # damaged metadata of any package
        return own, others
    return own, others
