"""Servers for `rnnkit data fetch` that lie, drip, cut, redirect and flood; and the archives that they give, which are no better."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import attrs

from rnnkit.data.fetching import download, paced
from rnnkit.data.fetching.fetch import CATALOGUE
from tests.hostile.archives import archive, good
from tests.hostile.case import OUT, Base, Case

ENDLESS = 1 << 40
MOST = 20_000_000
"""Bytes that an archive may have here."""

CHUNKED = b"Transfer-Encoding: chunked\r\n"

Answer = Iterable[bytes]
"""What a server sends, piece by piece; it rests after each one."""


def make(rng: Random, folder: Path, base: Base) -> Case:
    """A fetch from a server that misbehaves, or has an archive that does."""
    extra: list[str] = []
    if rng.random() < 0.6:
        label, way = rng.choice(_WAYS)
        body = rng.choice((good(), archive(rng)[0]))
        answer = partial(way, rng, body)
    else:
        body, label = archive(rng)
        answer = partial(_whole, body)
    if rng.random() < 0.1:
        right = hashlib.sha256(body).hexdigest()
        extra = ["--sha256", rng.choice((right, right[::-1], "0" * 64, right[:-1], "x", ""))]
    if rng.random() < 0.1:
        extra.append("--keep")
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    url = f"http://127.0.0.1:{port}{rng.choice(('/coco_captioning.zip', '/', '/%00', '/x?y=[/x]'))}"
    return Case(
        label,
        ("data", "fetch", "coco2014", OUT, "--url", url, *extra),
        serve=partial(_serve, answer, port),
        listening=listening,
        prepare=_hurry,
    )


def _hurry() -> None:
    """Have limits that are reached within seconds."""
    source = CATALOGUE["coco2014"]
    CATALOGUE["coco2014"] = attrs.evolve(source, most_packed=MOST, most_unpacked=2 * MOST)
    paced.TIMEOUT, download.PAUSES = 0.3, (0.0,) * 4
    os.environ["no_proxy"] = "*"


def _serve(answer: Callable[[int, bytes], Answer], port: int, listening: socket.socket) -> None:
    """Answer all who connect, one after the other; for a process of its own."""
    while True:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(2)
            asked = connection.recv(1 << 16)
            for piece in answer(port, asked):
                connection.sendall(piece)


def _head(status: bytes, *headers: bytes) -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n"


def _length(size: int) -> bytes:
    return b"Content-Length: %d" % size


def _whole(body: bytes, port: int, asked: bytes) -> Answer:
    return [_head(b"200 OK", _length(len(body)), b'ETag: "a"'), body]


def _lengths(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    size = rng.choice((0, 1, len(body) // 2, len(body) + 9, 3 * 10**9, ENDLESS, 2**64, -1))
    return [_head(b"200 OK", _length(size), b'ETag: "a"'), body]


def _two_lengths(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    other = rng.choice(
        (b"Content-Length: x", b"Content-Length: 5", b"Content-Length: 1e9", CHUNKED[:-2])
    )
    return [_head(b"200 OK", _length(len(body)), other), body]


def _cut(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    start = 0
    if b"Range: bytes=" in asked:
        start = int(asked.partition(b"Range: bytes=")[2].partition(b"-")[0])
    end = start + rng.choice((0, 1, len(body) // 3))
    return [
        _head(b"206 Partial" if start else b"200 OK", _length(len(body) - start), b'ETag: "a"', b"Content-Range: bytes %d-%d/%d" % (start, len(body) - 1, len(body))),
        body[start:end],
    ]  # fmt: skip


def _ranges(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    """A piece first, and then another part, another file, or nonsense of a range."""
    if b"Range:" not in asked:
        return [_head(b"200 OK", _length(len(body)), b'ETag: "a"'), body[:9]]
    given = rng.choice(
        (
            b"bytes 0-5/6",
            b"bytes 9-8/7",
            b"bytes */*",
            b"x",
            b"bytes 9-%d/%d" % (ENDLESS, ENDLESS),
            b"bytes 9-9/99999999999999999999",
            b"",
        )
    )
    status = rng.choice((b"206 x", b"416 x", b"200 OK"))
    return [
        _head(status, b"Content-Range: " + given, rng.choice((b'ETag: "a"', b'ETag: "b"'))),
        body[9:],
    ]


def _statuses(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    return [rng.choice((
        _head(b"404 \x1b]0;x\x07"), _head(b"999 x"), _head(b"204 No"), _head(b"500 x"), b"", b"\r\n", b"\0" * 99, b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n", b"SSH-2.0-x\r\n", _head(b"401 x", b"WWW-Authenticate: Basic realm=x"), b"HTTP/1.1 200" + b" x" * 40000 + b"\r\n\r\n",
    ))]  # fmt: skip


def _headers(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    flood = rng.choice((
        [b"X: " + b"y" * 70_000], [b"X: y"] * 300, [b"X"], [b": "], [b"Content-Type: text/html; charset=\xff"], [b"Content-Encoding: gzip"],
        [b"ETag: \x1b[31m"], [b"Last-Modified: \xff\0"], [b"Transfer-Encoding: nonsense"],
    ))  # fmt: skip
    return [_head(b"200 OK", *flood, _length(len(body))), body]


def _redirects(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    here = b"http://127.0.0.1:%d" % port
    to = rng.choice(
        (
            b"file:///etc/passwd",
            b"ftp://127.0.0.1/x",
            b"/round",
            here,
            b"http://",
            b"//",
            b"http://[::1",
            b"http://127.0.0.1:1/",
            b"\x1b[31m",
            b"x" * 9000,
            b"data:,x",
            b"http://127.0.0.1:99999/",
        )
    )
    return itertools.chain(
        [_head(rng.choice((b"301 x", b"302 x", b"307 x", b"308 x")), b"Location: " + to)],
        _flood(b"x"),
    )


def _chunks(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    chunk = b"%x\r\n" % len(body) + body + b"\r\n"
    lies: tuple[Answer, ...] = (
        [chunk, b"0\r\n\r\n"], [chunk], [b"-1\r\n"], [b"x\r\n"], [b"ffffffffffffffff\r\n", body], [b"5;" + b"x" * 70_000 + b"\r\nabcde\r\n"],
        itertools.chain([chunk, b"0\r\n"], _flood(b"X: y\r\n")), _flood(b"3e8\r\n" + bytes(1000) + b"\r\n"), [b"1" * 9000 + b"\r\n"],
    )  # fmt: skip
    return itertools.chain([_head(b"200 OK", CHUNKED[:-2])], rng.choice(lies))


def _drips(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    head = _head(b"200 OK", _length(len(body)), b'ETag: "a"')
    return _slowly(
        rng.choice((head + body, head[:9] + b"\r\nX: " * 99999, head)),
        after=rng.choice((0, len(head))),
    )


def _endless(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    return rng.choice((
        itertools.chain([_head(b"200 OK")], _flood(b"PK\3\4" * 9000)),
        _flood(_head(b"100 Continue")),
        itertools.chain([b"HTTP/1.1 200 OK\r\n"], _flood(b"X: y\r\n")),
    ))  # fmt: skip


def _silent(rng: Random, body: bytes, port: int, asked: bytes) -> Iterator[bytes]:
    yield rng.choice((b"", b"HTTP", _head(b"200 OK", _length(len(body)))))
    time.sleep(30)


def _reset(rng: Random, body: bytes, port: int, asked: bytes) -> Answer:
    return [_head(b"200 OK", _length(len(body))), body[: len(body) // 2], struct.pack("<I", 0)]


def _flood(piece: bytes) -> Iterator[bytes]:
    many = piece * (1 + 65536 // len(piece))
    return itertools.repeat(many)


def _slowly(data: bytes, after: int) -> Iterator[bytes]:
    yield data[:after]
    for at in range(after, len(data)):
        time.sleep(0.02)
        yield data[at : at + 1]


_WAYS: tuple[tuple[str, Callable[[Random, bytes, int, bytes], Answer]], ...] = (
    ("a length that lies", _lengths),
    ("two lengths", _two_lengths),
    ("cut", _cut),
    ("ranges that lie", _ranges),
    ("status", _statuses),
    ("headers", _headers),
    ("redirected", _redirects),
    ("chunks that lie", _chunks),
    ("drips", _drips),
    ("without end", _endless),
    ("silent", _silent),
    ("more than it said", _reset),
)
