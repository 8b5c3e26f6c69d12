"""What has come of a file so far, and which file that is."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any, Self

import attrs


@attrs.frozen
class Remote:
    """What a server says of its file, to know it again.

    Attributes:
        validator: its strong ETag, else its Last-Modified; None if there is neither, and then what came of
            the file cannot be resumed.
        size: bytes in all; None if the server does not say.
        url: that was asked for.
    """

    validator: str | None
    size: int | None
    url: str

    @classmethod
    def of(cls, response: http.client.HTTPResponse, size: int | None, url: str) -> Self:
        """The file that a response is about."""
        etag = response.headers.get("ETag")
        strong = etag is not None and not etag.startswith("W/")
        return cls(etag if strong else response.headers.get("Last-Modified"), size, url)

    def may_be(self, other: Remote) -> bool:
        """False if the two cannot be the same file."""
        return all(
            mine is None or its is None or mine == its
            for mine, its in ((self.validator, other.validator), (self.size, other.size))
        )


class Part:
    """What has come of a file so far, in `FILE.part`; what it is a part of, in `FILE.part.json`.

    Of a file that is whole, `FILE.json` has where it came from.
    """

    def __init__(self, file: Path) -> None:
        self.path = file.with_name(file.name + ".part")
        self.note = file.with_name(file.name + ".part.json")
        self._file, self._origin = file, file.with_name(file.name + ".json")

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def remote(self, url: str) -> Remote | None:
        """The file this is a part of; None if there is no part of what this address has, that can be resumed."""
        if not self.path.exists():
            return None
        read = _read(self.note)
        try:
            remote = Remote(read["validator"], read["size"], read["url"])
        except (TypeError, KeyError):
            return None
        return remote if isinstance(remote.validator, str) and remote.url == url else None

    def begin(self, remote: Remote) -> None:
        """Start with nothing. The old bytes go before the new note comes."""
        self.path.write_bytes(b"")
        self.note.write_text(json.dumps(attrs.asdict(remote)), encoding="utf-8")

    def forget(self) -> None:
        """Remove all of it."""
        self.note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def become_whole(self, url: str) -> None:
        """Put it in the file's place, with a note of where it came from."""
        note = {"url": url, **_looks(self.path)}
        self._origin.write_text(json.dumps(note), encoding="utf-8")
        self.path.replace(self._file)
        self.note.unlink(missing_ok=True)

    def origin(self) -> str | None:
        """Where the file that is whole came from; None if it was not downloaded, but put there by hand."""
        read = _read(self._origin)
        if not isinstance(read, dict) or not self._file.exists():
            return None
        url = read.pop("url", None)
        return url if isinstance(url, str) and read == _looks(self._file) else None

    def forget_origin(self) -> None:
        """Remove the note of where the file came from."""
        self._origin.unlink(missing_ok=True)


def _looks(file: Path) -> dict[str, int]:
    """By which a file that somebody has put in its place is told from it."""
    stat = file.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _read(note: Path) -> Any:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
