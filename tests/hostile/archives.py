"""Archives for `rnnkit data fetch`: paths and links that lead out, bombs, tars with devices, and damaged ones."""

from __future__ import annotations

import io
import itertools
import stat
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from random import Random

from rnnkit.data.fetching.fetch import CATALOGUE
from tests.datafolders import write_data_folder
from tests.hostile.values import spoiled_bytes

FILES = CATALOGUE["coco2014"].files


@cache
def good() -> bytes:
    """An archive that is as it must be."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_data_folder(
            Path(name) / "data", assignment=True, raw=True, images=20, width=32
        )
        return _zip({name: (folder / name).read_bytes() for name in FILES})


def archive(rng: Random) -> tuple[bytes, str]:
    """An archive, and what is wrong with it."""
    kind = rng.randrange(8)
    if kind == 0:
        entries = {rng.choice(_NAMES): b"x", **dict.fromkeys(FILES, b"x")}
        return _zip(entries), f"name {next(iter(entries))[:20]!a}"
    if kind == 1:
        return _zip(
            dict.fromkeys(FILES, b"x"), rng.choice((stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO))
        ), "links, devices"
    if kind == 2:
        return _bomb(rng), "bomb"
    if kind == 3:
        return _tar(rng), "tar with paths, links and devices"
    if kind == 4:
        return _zip(dict.fromkeys(FILES[rng.randrange(1, 5) :], b"x")), "files missing"
    if kind == 5:
        return spoiled_bytes(rng, _zip(dict.fromkeys(FILES, rng.randbytes(300)))), "bytes"
    if kind == 6:
        return rng.choice(
            (b"", b"PK", b"<html>no</html>", b"PK\5\6" + b"\xff" * 18, rng.randbytes(99))
        ), "no archive"
    return _zip(dict.fromkeys(FILES, rng.choice((b"", b"{}", b"\x89HDF\r\n\x1a\n")))), "content"


_NAMES = (
    "../evil", "/etc/evil", "C:\\evil", "a/../../evil", "..\\evil", "\x1b]0;x\x07", "x" * 60000, "again/" + FILES[0], "\udcff".encode("utf-8", "replace").decode(),
    "a\0b", "con", "~/x", "./.", "",
)  # fmt: skip


def _zip(files: dict[str, bytes], type: int = 0) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as made_of:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (type | 0o777) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            made_of.writestr(entry, content)
    return made.getvalue()


def _bomb(rng: Random) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as made_of:
        for name in FILES:
            made_of.writestr(name, bytes(1_000_000))
            made_of.getinfo(name).file_size = rng.choice((10, 1_000_000, 2**31, 2**40))
        for number in range(rng.choice((0, 0, 3000))):
            made_of.writestr(str(number), b"")
    return made.getvalue()


def _tar(rng: Random) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=rng.choice(("w", "w:gz", "w:xz"))) as made_of:
        for name, type in zip(
            ("../evil", "/evil", *FILES),
            itertools.cycle((tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = type, "/etc/passwd"
            made_of.addfile(entry)
    return made.getvalue()
