"""Getting one large file over HTTP: resumed where it stopped, tried again after drops, never taken for another."""

from __future__ import annotations

import http.client
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import attrs

from rnnkit.data.fetching import paced
from rnnkit.data.fetching.part import Part, Remote
from rnnkit.errors import DataError
from rnnkit.system.version import __version__

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait after each failure in a row; one more failure is the end."""

_BLOCK = 1 << 16
_TEMPORARY = {408, 429, 500, 502, 503, 504}

OnBytes = Callable[[int, int | None], None]
"""Called with bytes done, and bytes in all if that is known."""


class NotDownloaded(DataError):
    """The network, or the server, does not give the file."""


class _Lost(Exception):
    """An attempt failed in a way that another may not."""


class _Unreached(_Lost):
    """There was not even a connection."""


class _Slow(_Lost):
    """Bytes come, but too slowly to count as progress."""


def download(
    url: str,
    file: Path,
    *,
    most: int,
    size: int | None = None,
    on_bytes: OnBytes = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Download `url` to `file`, which is there only when all of it is.

    What has come is kept in `FILE.part`; a later call goes on from there if the address still has the same file.

    Args:
        url: http or https.
        file: in a folder that exists.
        most: bytes; a larger file is refused.
        size: bytes that the file must have, if known.
        on_bytes: told how far it is.
        say: told, in a sentence, of each new attempt.

    Raises:
        NotDownloaded: the server cannot be reached, refuses, has another file, or fails again and again.
        DataError: the URL is of another kind, or the file cannot be written.
    """
    check_url(url)
    part = Part(file)
    try:
        _try_until_whole(url, part, _Limits(most, size), on_bytes, say)
        part.become_whole(url)
    except OSError as e:
        raise DataError(f"cannot write {part.path}: {e.strerror or e}") from e


def check_url(url: str) -> None:
    """DataError unless it is an http or https address."""
    try:
        parts = urllib.parse.urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits:
        raise DataError(f"{url!r} is not an address that starts with http:// or https://")


def kept(url: str, file: Path) -> int:
    """Bytes of `file` that a download would not get again."""
    part = Part(file)
    return part.size if part.remote(url) else 0


def origin(file: Path) -> str | None:
    """The address that `download` had `file` from; None if it has not downloaded this file."""
    return Part(file).origin()


def forget(file: Path) -> None:
    """Remove all about `file` but the file itself."""
    part = Part(file)
    part.forget()
    part.forget_origin()


@attrs.frozen
class _Limits:
    most: int
    size: int | None

    def check(self, url: str, size: int) -> None:
        if self.size is not None and size != self.size:
            raise NotDownloaded(f"{url} gives {size:,} bytes, but the file must have {self.size:,}")
        if size > self.most:
            raise NotDownloaded(f"{url} is larger than the {self.most:,} bytes allowed")


def _try_until_whole(
    url: str, part: Part, limits: _Limits, on_bytes: OnBytes, say: Callable[[str], None]
) -> None:
    failures, furthest, reached = 0, 0, False
    while True:
        try:
            _attempt(url, part, limits, on_bytes)
            return
        except _Lost as e:
            reached = reached or not isinstance(e, _Unreached)
            # Only bytes never had before are progress, or a server that always breaks off in the same place
            # would be asked for ever.
            failures = 1 if part.size > furthest and not isinstance(e, _Slow) else failures + 1
            furthest = max(furthest, part.size)
            if not reached or failures > len(PAUSES):
                raise NotDownloaded(str(e)) from e
            pause = PAUSES[failures - 1]
            say(f"{e}; trying again in {pause:g} s")
            time.sleep(pause)


def _attempt(url: str, part: Part, limits: _Limits, on_bytes: OnBytes) -> None:
    """Get what is missing; _Lost if it is not all there afterwards."""
    known = part.remote(url)
    start = part.size if known else 0
    total = known and known.size
    if total is None or start != total:
        total = _get_rest(url, part, start, known, limits, on_bytes)
    if total is not None and part.size != total:
        raise _Lost(f"{url} ended after {part.size:,} of {total:,} bytes")
    try:
        limits.check(url, part.size)
    except NotDownloaded:
        part.forget()
        raise


def _get_rest(
    url: str, part: Part, start: int, known: Remote | None, limits: _Limits, on_bytes: OnBytes
) -> int | None:
    """Add what the server gives to the part; the size the whole should have, if the server says."""
    try:
        response = _open(url, start, known)
    except urllib.error.HTTPError as e:
        with closing(e):
            if e.code == 416 and start:
                return _end_of_range(url, part, e.headers.get("Content-Range", ""))
            sentence = f"{url} answers {e.code} {_reason(e.reason)}"
        raise (_Lost if e.code in _TEMPORARY else NotDownloaded)(sentence) from e
    with response:
        remote = _accept(url, response, part, start, known)
        if remote.size is not None:
            limits.check(url, remote.size)
            _check_room(part.path.parent, remote.size - part.size)
        if response.status == 200:  # all of the file, whatever was asked for
            part.begin(remote)
        _pour(url, response, part, limits.most, remote.size, on_bytes)
    return remote.size


def _open(url: str, start: int, known: Remote | None) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": f"rnnkit/{__version__}"})
    if start and known and known.validator:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", known.validator)
    try:
        response: http.client.HTTPResponse = paced.opener().open(request, timeout=paced.TIMEOUT)
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as e:
        raise _Unreached(f"cannot reach {url}: {_reason(e.reason)}") from e
    except (http.client.InvalidURL, ValueError) as e:
        raise DataError(f"{url!r} is not an address: {e}") from e
    except paced.TooSlow as e:
        raise _Slow(f"{url} is too slow: {e}") from e
    except (OSError, http.client.HTTPException) as e:
        raise _Lost(f"no answer from {url}: {_reason(e)}") from e
    return response


def _reason(error: BaseException | str) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.partition("\n")[0] or type(error).__name__


def _accept(
    url: str, response: http.client.HTTPResponse, part: Part, start: int, known: Remote | None
) -> Remote:
    """The file that an answer is about."""
    headers = response.headers
    if response.status == 200 and headers.get_content_type() != "text/html":
        return Remote.of(response, response.length, url)
    given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    if response.status != 206 or known is None or given is None:
        what = "a web page" if response.status == 200 else f"{response.status} {response.reason}"
        raise NotDownloaded(f"{url} answers with {what}, not with the file")
    remote = Remote.of(response, None if given[2] == "*" else int(given[2]), url)
    if int(given[1]) != start or not known.may_be(remote):
        part.forget()
        raise _Lost(f"the file at {url} has changed since the download began")
    return remote if remote.size is not None else known


def _end_of_range(url: str, part: Part, content_range: str) -> int:
    """The server has nothing after what we have: that was all, or it has another file now."""
    if content_range != f"bytes */{part.size}":
        part.forget()
        raise _Lost(f"the file at {url} has changed since the download began")
    return part.size


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder} has room for {free:,} bytes, but {needed:,} are still to come; make room, or give "
            "a folder on another disk"
        )


def _pour(
    url: str,
    response: http.client.HTTPResponse,
    part: Part,
    most: int,
    total: int | None,
    on_bytes: OnBytes,
) -> None:
    done = part.size
    on_bytes(done, total)
    with part.path.open("ab") as file:
        while done <= most and (block := _read(url, response)):
            file.write(block)
            done += len(block)
            on_bytes(done, total)


def _read(url: str, response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_BLOCK)
    except paced.TooSlow as e:
        raise _Slow(f"{url} is too slow: {e}") from e
    except (OSError, http.client.HTTPException) as e:
        raise _Lost(f"lost the connection to {url}: {_reason(e)}") from e
