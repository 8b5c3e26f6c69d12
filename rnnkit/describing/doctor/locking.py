"""Whether files in a folder can be locked: runs hold their folders, and HDF5 its files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rnnkit.describing.doctor.finding import Finding
from rnnkit.system.files import can_lock


def look(folder: Path) -> Finding:
    """Lock a new file in the folder.

    Args:
        folder: of data or runs; this one for where runs are written.
    """
    name = f"files in {folder}"
    if not folder.is_dir():
        return Finding(name, "there is no such folder", "name a folder that there is")
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".rnnkit-") as made:
            locked = can_lock(Path(made))
    except OSError as error:
        return Finding(
            name, f"cannot be made: {error.strerror}", "runs need a folder to write into"
        )
    if locked:
        return Finding(name, "can be locked")
    return Finding(
        name,
        "cannot be locked on this file system",
        "see that no two programs train into one folder, and set HDF5_USE_FILE_LOCKING=FALSE if files do not open",
    )
