"""What is said to a server on bare connections, byte by byte."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rnnkit.captioning.serving import Limits
from tests.servers import Place

LIMITS: Final = Limits(
    bytes=1 << 20, requests=4, seconds=4.0, header_seconds=1.0, held=2 << 20, connections=300
)
"""Little of everything, so that it is soon used up."""


BOUNDARY: Final = "Content-Type: multipart/form-data; boundary=xyz"
PART: Final = '--xyz\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
"""The type of a form, and what stands before its photo."""


@contextmanager
def speaking(place: Place, *texts: str | bytes) -> Iterator[socket.socket]:
    """A connection on which this has been said."""
    with socket.create_connection(("127.0.0.1", place.port), timeout=20) as line:
        for text in texts:
            line.sendall(text.encode() if isinstance(text, str) else text)
        yield line


def heard(line: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    found = b""
    try:
        while piece := line.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found


def said(place: Place, *texts: str | bytes) -> tuple[int, bytes]:
    """The status of the first answer, and all of it; 0 if there is none."""
    with speaking(place, *texts) as line:
        found = heard(line)
    return (int(found.split(b" ", 2)[1]) if found else 0), found


def head(place: Place, path: str = "/caption", *lines: str) -> str:
    """A request up to its body; to the server's own host, if no line names another."""
    own = any(line.lower().startswith("host:") for line in lines)
    host = [] if own else [f"Host: 127.0.0.1:{place.port}"]
    return "\r\n".join([f"POST {path} HTTP/1.1", *host, "Connection: close", *lines, "", ""])


def works(place: Place, photo: bytes) -> bool:
    """Whether others are served."""
    return place.ask("/caption", photo).status == 200


def until(true: Callable[[], bool]) -> bool:
    """Whether something becomes true before long."""
    end = time.monotonic() + 10
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
