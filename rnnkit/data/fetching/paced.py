"""HTTP from servers that may do anything: what comes too slowly, or never gets to the file, ends as an error."""

from __future__ import annotations

import http.client
import io
import time
import urllib.request
from http.client import HTTPMessage
from typing import IO, Any, Final
from urllib.request import Request

TIMEOUT: float = 30.0
"""Seconds without a byte after which a connection counts as lost."""

SLOWEST: Final = 1000
"""Bytes of the file that must come each second, on average over `TIMEOUT`."""


class TooSlow(OSError):
    """A server sends, but so little of the file that it would take for ever."""


class _Paced(io.RawIOBase):
    """The bytes of a connection, as long as enough of the file is among them.

    Each byte ends the silence for which a connection counts as lost. So a server that sends two bytes a second, or headers
    without end, would hold whoever waits for the file for years.

    Attributes:
        came: bytes of the file since the last time that they were judged.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self.came = 0
        self._raw = raw
        self._since: float | None = None  # what a server does before it answers is its own affair

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        seconds = now - self._since
        if seconds >= TIMEOUT:
            if self.came < SLOWEST * seconds:
                raise TooSlow(
                    f"{self.came:,} bytes of the file came in {seconds:.0f} s, and {SLOWEST:,} a second are the least"
                )
            self._since, self.came = now, 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._paced = _Paced(self.fp.detach())
        self.fp = io.BufferedReader(self._paced)

    def read1(self, n: int = -1) -> bytes:
        got = super().read1(n)
        self._paced.came += len(got)
        return got


class _Connection(http.client.HTTPConnection):
    response_class = _Response


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _Response


class _HTTP(urllib.request.HTTPHandler):
    def http_open(self, request: Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


class _HTTPS(urllib.request.HTTPSHandler):
    def https_open(self, request: Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, request)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirections, of which nothing but the address is read, for there may be no end of the rest."""

    def http_error_302(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> Any:
        fp.close()
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def opener() -> urllib.request.OpenerDirector:
    """HTTP alone: a redirection to a file or to FTP finds nobody who opens it."""
    found = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _HTTP(),
        _HTTPS(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        found.add_handler(handler)
    return found
