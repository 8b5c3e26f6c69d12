"""Why a file cannot be read, in a sentence: what the system says of it, or else what the file is.

Asked before a file is opened, and of what opening and reading it raised; so that nobody is told to download a file
again that is only locked, and no pipe is waited for.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

HDF5: Final = "an HDF5 file"
NPY: Final = "a NumPy file (.npy)"
TEXT: Final = "UTF-8 text"
JSON: Final = "JSON"
ZIP: Final = "a zip archive"
PICTURE: Final = "a picture"
MODEL: Final = "a model of rnnkit"

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"

_SPECIAL: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x93NUMPY", NPY),
    (b"MATLAB 5.0 MAT-file", "a MATLAB 5 file; save its array with numpy.save"),
    (b"MATLAB 7.3 MAT-file", "a MATLAB 7.3 file"),
    (_SIGNATURE, HDF5),
    (b"rnnkit model, ", MODEL),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"8BPS", "a Photoshop picture; save it as JPEG or PNG"),
    (b"\x1f\x8b", "packed by gzip; unpack it first"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
    (b"BZh", "packed by bzip2; unpack it first"),
    (b"\xfd7zXZ\0", "packed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"%PDF-", "a PDF"),
    (b"PAR1", "a Parquet table"),
    (b"ARROW1", "an Arrow table"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"CDF\x01", "a NetCDF 3 file"),
    (b"CDF\x02", "a NetCDF 3 file"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, not the file itself; get that with: git lfs pull",
    ),
)


_MARKUP: Final = ("a web page, perhaps of an error", "XML, perhaps an answer of a server")


class Refused(ValueError):
    """What is wrong with a file, found by rnnkit; its message goes on where the file's name ends."""


def check_ordinary(path: Path) -> None:
    """That a path is one of a file that can be read from begin to end, before something waits for it.

    Raises:
        OSError: there is nothing, or it cannot be looked at.
        Refused: it is a folder, a pipe, a socket or a device.
    """
    if name := special(path):
        raise Refused(f"is {name}, where a file must be; give the path of the file")


def special(path: Path) -> str:
    """What a folder, a pipe, a socket or a device is called, or a link to one; empty for a file.

    Raises:
        OSError: there is nothing, or it cannot be looked at.
    """
    mode = path.stat().st_mode
    return next((name for is_kind, name in _SPECIAL if is_kind(mode)), "")


def ordinary_text(path: Path) -> str:
    """The whole of a UTF-8 text file that is one, and no pipe or device that never ends.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8, or a Refused.
    """
    check_ordinary(path)
    return path.read_text(encoding="utf-8")


def why(error: BaseException, path: Path, reads: str) -> str:
    """Why a file could not be read.

    Args:
        error: what was raised.
        path: of the file.
        reads: what it should have been, such as "an HDF5 file".

    Returns:
        A sentence that begins with the path.
    """
    return f"{path} {_said_by_system(error, path) or _said_by_content(error, path, reads)}"


def _said_by_system(error: BaseException, path: Path) -> str | None:
    """None if the system has nothing to say."""
    if isinstance(error, Refused):
        return str(error)
    number = _number(error)
    if number in (errno.ENOENT, errno.ENOTDIR):
        return "does not exist; write or download it"
    with contextlib.suppress(OSError):
        try:
            check_ordinary(path)
        except Refused as refused:
            return str(refused)
    if number in (errno.EACCES, errno.EPERM):
        return "cannot be read: permission denied; change its permissions, or use a copy"
    if number in (errno.EAGAIN, errno.EWOULDBLOCK):
        return (
            f"is locked by {holder(path)}; wait until that is done with it, or set "
            "HDF5_USE_FILE_LOCKING=FALSE to read it all the same"
        )
    if number in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
        return "is on a file system without locks; set HDF5_USE_FILE_LOCKING=FALSE to read it"
    if number in (errno.EMFILE, errno.ENFILE):
        return (
            f"cannot be read: too many files are open{_limit() if number == errno.EMFILE else ''}; "
            "close others, or allow more with: ulimit -n"
        )
    if number == errno.ENOMEM or isinstance(error, MemoryError):
        return "cannot be read: there is not enough memory; end other programs, or use a machine that has more"
    if number == errno.ELOOP:
        return "is a link that leads back to itself; give the path of the file"
    if number in (errno.EIO, errno.ESTALE, errno.EREMOTEIO, errno.ENXIO, errno.ENODEV):
        return (
            f"cannot be read: {os.strerror(number)}; the disk or its connection fails: check them, then use a "
            "copy of the file"
        )
    return None if number is None else f"cannot be read: {os.strerror(number)}; check the path"


def _said_by_content(error: BaseException, path: Path, reads: str) -> str:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as other:
        return _said_by_system(other, path) or f"cannot be read: {other}"
    if not size:
        return "is empty; write or download it again"
    text = str(error).partition("\n")[0] or type(error).__name__
    what, _, mend = (what_is(head) or "").partition("; ")
    if isinstance(error, UnicodeDecodeError) and what in ("", JSON, *_MARKUP):
        return f"is not UTF-8 text (byte {error.start}); write or download it again"
    known = what in (reads, "") if reads in (TEXT, JSON, ZIP) else what == reads
    if not known and not (reads == HDF5 and has_signature(path)):
        if not what:
            return f"is not {reads}: it begins with {head[:8]!r}; write or download it again"
        return f"is not {reads}: it is {what}; {mend or f'give {reads}'}"
    if isinstance(error, json.JSONDecodeError) and (
        error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
    ):
        return f"is cut short: its JSON is not complete ({text}); write or download it again"
    if reads in (JSON, ZIP):
        whole = "valid JSON" if reads == JSON else "a whole zip archive"
        return f"is not {whole} ({text}); write or download it again"
    declared = re.search(r"truncated file: eof = (\d+),.*stored_eof = (\d+)", str(error))
    if declared:
        there, wanted = map(int, declared.groups())  # without a block of the user's before them
        wanted += size - there
        return f"is cut short: it has {size:,} of its {wanted:,} bytes; write or download it again"
    if reads == NPY and re.search(r"mmap length|^EOF", text):
        return f"is cut short: it has {size:,} bytes, fewer than it declares; write or download it again"
    if reads == NPY and "Python objects" in text:
        return "has Python objects, which may run code when they are read; save numbers with numpy.save"
    if "already open for write" in text:
        return (
            "is still written to, or was not closed by the program that wrote it; wait for that, or repair "
            "the file with: h5clear -s FILE"
        )
    return f"is damaged ({text}); write or download it again"


def what_is(head: bytes) -> str | None:
    """What a file is that begins like this, and after a semicolon how to come by what is read; None if unknown."""
    for beginning, name in _BEGINNINGS:
        if head.startswith(beginning):
            return name
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        if re.match(rb"PK\x03\x04.{26}[^/]*\.npy", head, re.DOTALL):
            return "a NumPy archive (.npz); save its array with numpy.save"
        if b"/data.pkl" in head[:200]:
            return "a file of PyTorch; save its array with numpy.save"
        return f"{ZIP}; unpack it first"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if re.match(rb"\x80[\x02-\x05]", head):
        return "a pickle, which may run code when it is read; save its array with numpy.save"
    # A record begins with its length, of which the upper bytes are 0, and a checksum; an example's first byte is 10.
    if len(head) > 12 and head[3:8] == bytes(5) and head[12] == 10:
        return "a TFRecord; save its arrays with numpy.save"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    if head[4:8] == b"ftyp":
        still = head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif")
        return (
            "a HEIC or AVIF picture; save it as JPEG" if still else "a video; save a picture of it"
        )
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb"(<\?xml[^>]*>\s*(<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*)?<svg\b", start, re.DOTALL):
        return "an SVG drawing; save it as PNG"
    if re.match(rb"<(!doctype html|html|head|body)", start, re.IGNORECASE):
        return f"{_MARKUP[0]}; download it again"
    if start.startswith(b"<?xml"):
        return f"{_MARKUP[1]}; download it again"
    if re.match(rb'(\{\s*"|\{\s*\}|\[\s*[\[\]{"\d-])', start):
        return JSON
    return None


def has_signature(path: Path) -> bool:
    """Whether a file is of HDF5, which may begin at byte 0, 512, 1024, 2048 and so on."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            if file.read(len(_SIGNATURE)) == _SIGNATURE:
                return True
            at = at * 2 or 512
    return False


def _number(error: BaseException) -> int | None:
    """The system's number of an error; HDF5 has it in its text at times."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = re.search(r"\berrno = (\d+)", str(error))
    return int(found[1]) or None if found else None


def holder(path: Path) -> str:
    """The process that has a lock on a file, if the system tells."""
    names = sorted(set(_holders(path)))
    return " and ".join(names[:3]) or "another process"


def _holders(path: Path) -> Iterator[str]:
    with contextlib.suppress(OSError, ValueError):  # other systems have no /proc
        there = path.stat()
        device = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if device not in words or "->" in words:
                continue
            process = words[words.index(device) - 1]
            name = ""
            with contextlib.suppress(OSError):
                name = f" ({Path(f'/proc/{process}/comm').read_text().strip()})"
            yield f"process {process}{name}"


def _limit() -> str:
    with contextlib.suppress(ImportError):  # not Unix
        import resource

        return f" (this process may have {resource.getrlimit(resource.RLIMIT_NOFILE)[0]})"
    return ""
