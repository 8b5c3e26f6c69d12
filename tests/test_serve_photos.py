"""What is no photo gets a sentence, what is too much is refused, and nothing is written to disk."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException

from rnnkit.captioning.serving import Limits, studio
from rnnkit.captioning.serving.limits import Room
from rnnkit.data.photos import opening
from tests.lines import BOUNDARY, LIMITS, PART, head, heard, said, speaking, until, works
from tests.servers import Place, serving


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run], LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def photo(tiny_data: Path) -> bytes:
    return (tiny_data / "images" / "val" / "00000.png").read_bytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes) -> bytes:
    """A file that says it is so large, and has no pixels."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + b"".join(more) + data + chunk(b"IEND", b"")


def exif(entries: bytes) -> bytes:
    """A JPEG picture with such an EXIF directory."""
    made = io.BytesIO()
    Image.new("RGB", (32, 32)).save(made, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + entries)
    return made.getvalue()


LOOP = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
HUGE = struct.pack("<H", 1) + struct.pack("<HHII", 0x0112, 5, 0x0FFFFFFF, 8)
MANY = struct.pack("<H", 5000) + 5000 * struct.pack("<HHII", 0x9286, 7, 60000, 8)


@pytest.mark.parametrize(
    ("file", "status", "sentence"),
    [
        (png(30_000, 30_000), 400, "more pixels than 89,000,000"),
        (png(2**31 - 1, 2**31 - 1), 400, "photo"),
        (png(0, 0), 400, "photo"),
        (png(64, 64), 400, "damaged"),
        (b"a text file, called photo.jpg", 400, "is not a picture"),
        (b"<!doctype html><p>", 400, "is not a picture"),
        (b"", 400, "there is no photo"),
        (b"\x89PNG\r\n\x1a\n", 400, "damaged"),
        (bytes((1 << 20) + 1), 413, "1,048,576 bytes"),
        (png(64, 64, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50 << 20)))), 400, "photo"),
        (png(64, 64, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50 << 20)))), 400, "photo"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, bytes) else None,
)
def test_what_is_no_photo_gets_a_sentence(
    place: Place, file: bytes, status: int, sentence: str
) -> None:
    answer = place.ask("/caption", file, "image/jpeg")
    assert answer.status == status
    assert sentence in answer.json["error"]
    page = place.ask("/", PART.encode() + file + b"\r\n--xyz--\r\n", BOUNDARY.partition(": ")[2])
    assert page.status == status
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("entries", [LOOP, HUGE, MANY], ids=["loop", "huge", "many"])
def test_notes_of_a_camera_that_cannot_be_read_change_nothing(place: Place, entries: bytes) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (32, 32)).save(plain, "JPEG")
    wanted = place.ask("/caption", plain.getvalue()).json["captions"][0]["caption"]
    found = place.ask("/caption", exif(entries)[: 1 << 20])
    assert found.json["captions"][0]["caption"] == wanted


def test_too_large_a_photo_is_refused_however_it_is_sent(place: Place, photo: bytes) -> None:
    large = (1 << 20) + 5
    text = head(place, "/caption", "Content-Type: image/png", f"Content-Length: {large}")
    assert said(place, text, bytes(large))[0] == 413
    expecting = text.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n")
    status, answer = said(place, expecting)
    assert (status, b"100 Continue" in answer) == (413, False)
    chunked = head(place, "/caption", "Content-Type: image/png", "Transfer-Encoding: chunked")
    body = f"{large:x}\r\n".encode() + bytes(large) + b"\r\n0\r\n\r\n"
    assert said(place, chunked, body)[0] == 413
    enormous = head(place, "/caption", "Content-Type: image/png", "Content-Length: 99999999999999")
    assert said(place, enormous, bytes(5 << 20))[0] in (0, 413)
    assert works(place, photo)


def test_those_who_are_silent_lose_their_room_to_others(place: Place, photo: bytes) -> None:
    lines = ("Content-Type: image/png", "Content-Length: 800000")
    with ExitStack() as opened:
        silent = [
            opened.enter_context(speaking(place, head(place, "/caption", *lines), bytes(699_000)))
            for _ in range(3)  # more than there is room for
        ]
        assert works(place, photo)
        statuses = []
        for line in silent:
            line.sendall(bytes(101_000))
            statuses.append(heard(line)[9:12])
    assert set(statuses) <= {b"400", b"503"}
    assert b"503" in statuses


def test_who_has_been_silent_for_longest_loses_first() -> None:
    lost: list[str] = []

    @attrs.frozen(eq=False)
    class Holder:
        name: str
        size: int = 50

        def lose(self) -> None:
            lost.append(self.name)
            room.held -= self.size

    room = Room(Limits(held=100))
    a, b, c = map(Holder, "abc")
    room.take(a, 40)
    room.take(b, 50)
    room.take(a, 10)
    room.take(c, 50)
    assert (lost, room.held) == (["b"], 100)
    room.has_come(a)
    with pytest.raises(HTTPException, match="503"):
        room.take(c, 51)
    assert (lost, room.held) == (["b"], 100)


def test_more_photos_than_fit_in_are_asked_to_come_again(
    place: Place, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, open_photo = threading.Event(), opening.open_photo

    def held(*args: Any) -> Any:
        going.wait(10)
        return open_photo(*args)

    monkeypatch.setattr(opening, "open_photo", held)
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(place.ask, "/caption", photo) for _ in range(10)]
        assert until(lambda: sum(one.done() for one in asked) == 6)
        going.set()
        answers = [one.result() for one in asked]
    refused = [answer for answer in answers if answer.status != 200]
    assert [answer.status for answer in refused] == 6 * [503]
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert works(place, photo)


def test_a_large_photo_holds_up_no_others(
    place: Place, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, open_photo = threading.Event(), opening.open_photo
    large = io.BytesIO()
    Image.new("RGB", (100, 100)).save(large, "PNG")

    def held(file: bytes, name: str) -> Any:
        if file == large.getvalue():
            going.wait(10)
        return open_photo(file, name)

    monkeypatch.setattr(opening, "open_photo", held)
    monkeypatch.setattr(studio, "LARGE", 5000)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(place.ask, "/caption", large.getvalue())
        assert works(place, photo)
        assert not asked.done()
        going.set()
        assert asked.result().status == 200


def test_a_photo_that_takes_too_long_is_given_up(
    small_run: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = threading.Event()
    monkeypatch.setattr(opening, "open_photo", lambda *_: going.wait(10))
    with serving([small_run], Limits(seconds=0.3)) as place:
        answer = place.ask("/caption", photo)
        going.set()
    assert (answer.status, "0.3 seconds" in answer.json["error"]) == (408, True)


def test_a_mistake_of_the_server_is_told_to_who_runs_it(
    place: Place, photo: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(opening, "open_photo", lambda *_: 1 // 0)
    answer = place.ask("/caption", photo)
    assert (answer.status, answer.json["error"]) == (
        500,
        "the server made a mistake: ZeroDivisionError",
    )
    assert "ZeroDivisionError: integer division or modulo by zero [" in capsys.readouterr().err
    monkeypatch.undo()
    assert works(place, photo)


_watching = False
_written: list[tuple[Any, ...]] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "open" and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            _written.append((event, *args))
    elif event.startswith("tempfile.") or event in ("os.mkdir", "os.rename", "os.truncate"):
        _written.append((event, *args))


sys.addaudithook(_audit)


@contextmanager
def watched() -> Iterator[list[tuple[Any, ...]]]:
    """What this process writes to disk meanwhile."""
    global _watching
    _written.clear()
    _watching = True
    try:
        yield _written
    finally:
        _watching = False


def test_nothing_is_written_to_disk(small_run: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    made = io.BytesIO()
    Image.fromarray(noise).save(made, "PNG")
    large = made.getvalue()
    assert len(large) > 5 << 20
    body = PART.encode() + large + b"\r\n--xyz--\r\n"
    with serving([small_run]) as place, watched() as written:
        for path in ("/caption", "/"):
            assert place.ask(path, body, BOUNDARY.partition(": ")[2]).status == 200
        assert place.ask("/caption", large).status == 200
        assert place.ask("/samples/small/0").status == 200
        assert written == []
        (tmp_path / "this").write_text("is seen")
        assert len(written) == 1
