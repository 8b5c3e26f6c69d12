"""What has come of a file so far, and which file that is."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Self

import attrs


@attrs.frozen
class Remote:
    """What a server says of its file, to know it again.

    Attributes:
        validator: its strong ETag, else its Last-Modified; None if there is neither, and then what came of
            the file cannot be resumed.
        size: bytes in all; None if the server does not say.
    """

    validator: str | None
    size: int | None

    @classmethod
    def of(cls, response: http.client.HTTPResponse, size: int | None) -> Self:
        """The file that a response is about."""
        etag = response.headers.get("ETag")
        strong = etag is not None and not etag.startswith("W/")
        return cls(etag if strong else response.headers.get("Last-Modified"), size)

    def may_be(self, other: Remote) -> bool:
        """False if the two cannot be the same file."""
        return all(
            mine is None or its is None or mine == its
            for mine, its in ((self.validator, other.validator), (self.size, other.size))
        )


class Part:
    """What has come of a file so far, in `FILE.part`; what it is a part of, in `FILE.part.json`."""

    def __init__(self, file: Path) -> None:
        self.path = file.with_name(file.name + ".part")
        self.note = file.with_name(file.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def remote(self) -> Remote | None:
        """The file this is a part of; None if there is no part that can be resumed."""
        if not self.path.exists():
            return None
        try:
            read = json.loads(self.note.read_text(encoding="utf-8"))
            remote = Remote(read["validator"], read["size"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return remote if isinstance(remote.validator, str) else None

    def begin(self, remote: Remote) -> None:
        """Start with nothing. The old bytes go before the new note comes."""
        self.path.write_bytes(b"")
        self.note.write_text(json.dumps(attrs.asdict(remote)), encoding="utf-8")

    def forget(self) -> None:
        """Remove all of it."""
        self.note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def become(self, file: Path) -> None:
        """It is whole: put it in the file's place."""
        self.path.replace(file)
        self.note.unlink(missing_ok=True)
