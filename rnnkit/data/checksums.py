"""The digests of all files of a data folder, written with it, by which damage that no reader would notice is found.

The file has the form of `sha256sum`, which checks it too: `sha256sum --check SHA256SUMS`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rnnkit.data.mistakes import Mistakes
from rnnkit.data.texts import read_text
from rnnkit.system.files import write_text_whole
from rnnkit.system.why import check_ordinary

CHECKSUMS: Final = "SHA256SUMS"

_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")


def write_checksums(folder: Path) -> None:
    """Write the digests of all files that are in a folder, and in the folders in it, but for hidden ones."""
    lines = [f"{_digest(folder / name)}  {name}\n" for name in sorted(_names(folder))]
    write_text_whole(folder / CHECKSUMS, "".join(lines))


def renew_checksum(folder: Path, name: str) -> None:
    """Write the digest of one file anew, where the folder has digests."""
    if not (folder / CHECKSUMS).exists():
        return
    lines = [line for line in _lines(folder) if not line.endswith(f"  {name}")]
    lines.append(f"{_digest(folder / name)}  {name}")
    write_text_whole(folder / CHECKSUMS, "".join(f"{line}\n" for line in lines))


def check_checksums(folder: Path) -> int:
    """Compare all files with the digests that a folder has; pictures may have been left behind, all of them.

    Returns:
        How many were compared; 0 for a folder without digests.

    Raises:
        DataError: files are missing, or not as they were written.
    """
    if not os.path.lexists(folder / CHECKSUMS):
        return 0
    mistakes, pictures, compared = Mistakes(folder), (folder / "images").exists(), 0
    for number, line in enumerate(_lines(folder), start=1):
        found = _LINE.fullmatch(line)
        if not found or found[2].startswith("/") or ".." in found[2].split("/") or "\0" in line:
            mistakes.add(
                CHECKSUMS, f"line {number} is no digest and the name of a file in the folder"
            )
            continue
        digest, name = found.groups()
        if name.startswith("images/") and not pictures:
            continue
        compared += 1
        try:
            check_ordinary(folder / name)
            wrong = _digest(folder / name) != digest
        except (OSError, ValueError) as e:
            mistakes.add(
                name, f"cannot be read ({e}); copy it again, or take its line out of {CHECKSUMS}"
            )
            continue
        if wrong:
            mistakes.add(
                name,
                "is not as it was written, as its digest is another; write or copy it again, or if it was changed on "
                f"purpose, take its line out of {CHECKSUMS}",
            )
    mistakes.tell()
    return compared


def _lines(folder: Path) -> list[str]:
    return read_text(folder / CHECKSUMS).splitlines()


def _names(folder: Path) -> Iterator[str]:
    for at, below, names in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and name != CHECKSUMS:
                yield (Path(at) / name).relative_to(folder).as_posix()


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
