"""What is sent to `rnnkit serve` to harm it is refused, and others are served meanwhile."""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import sys
import threading
import time
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
from typer.testing import CliRunner

from rnnkit.captioning.serving import Limits, studio
from rnnkit.captioning.serving.limits import Room
from rnnkit.captioning.serving.running import listen
from rnnkit.cli import app
from rnnkit.data.photos import opening
from rnnkit.errors import RnnkitError
from tests.many_clients import server
from tests.servers import Place, serving

LIMITS = Limits(
    bytes=1 << 20, requests=4, seconds=4.0, header_seconds=1.0, held=2 << 20, connections=300
)


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run], LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def photo(tiny_data: Path) -> bytes:
    return (tiny_data / "images" / "val" / "00000.png").read_bytes()


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
    own = any(line.lower().startswith("host:") for line in lines)
    host = [] if own else [f"Host: 127.0.0.1:{place.port}"]
    return "\r\n".join([f"POST {path} HTTP/1.1", *host, "Connection: close", *lines, "", ""])


def works(place: Place, photo: bytes) -> bool:
    """Whether others are served."""
    return place.ask("/caption", photo).status == 200


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Host: evil.example", 421),
        ("Host: 127.0.0.1.evil.example:PORT", 421),
        ("Host: 127.0.0.1:1", 421),
        ("Host: 127.0.0.1", 421),
        ("Host: [::ffff:127.0.0.1]:PORT", 421),
        ("Host: user@127.0.0.1:PORT", 421),
        ("Host:", 421),
        ("Origin: http://evil.example", 403),
        ("Origin: null", 403),
        ("Origin: https://127.0.0.1:PORT", 403),
        ("Origin: http://localhost:PORT", 403),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Origin: http://127.0.0.1:PORT", 200),
        ("Host: localhost:PORT", 200),
        ("Host: LOCALHOST:PORT", 200),
        ("Host: [::1]:PORT", 200),
        ("Sec-Fetch-Site: same-origin", 200),
    ],
)
def test_pages_of_other_hosts_are_refused(
    place: Place, photo: bytes, line: str, status: int
) -> None:
    lines = (line.replace("PORT", str(place.port)), "Content-Type: image/png")
    assert said(place, head(place, "/caption", *lines, f"Content-Length: {len(photo)}"), photo)[
        0
    ] == (status)


def test_every_answer_says_what_browsers_may_do_with_it(place: Place) -> None:
    for path in ("/", "/page/page.css", "/model", "/nothing", "/samples/small/0"):
        headers = place.ask(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "access-control-allow-origin" not in headers
        assert "no-store" in headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/page//etc/passwd",
        "/page/page.css%00.png",
        "/page/index.html",
        "/samples/small/../../page.py",
        "/samples/..%2f../0",
        "/samples/small/-1",
        "/samples/small/00000.png",
        "//etc/passwd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "http://evil.example/",
    ],
)
def test_no_path_leads_out(place: Place, path: str) -> None:
    text = head(place, path).replace("POST", "GET", 1)
    status, answer = said(place, text)
    assert status in (400, 404)
    assert b"root:" not in answer
    assert b"import" not in answer


def test_ten_thousand_header_lines_are_refused(place: Place, photo: bytes) -> None:
    lines = [f"x{i}: y" for i in range(10_000)]
    assert said(place, head(place, "/caption", *lines))[0] in (400, 431)
    assert said(place, head(place, "/caption", *lines[:150]))[0] == 431
    assert said(place, head(place, "/caption", "x: " + 1_000_000 * "y"))[0] in (0, 400)
    assert said(place, "POST / " + 1_000_000 * "y")[0] in (0, 400)
    assert works(place, photo)


def test_slow_clients_hold_up_nobody_and_are_cut_off(place: Place, photo: bytes) -> None:
    begun = head(place, "/caption", "Content-Type: image/png", "Content-Length: 1000")
    with ExitStack() as opened:
        slow = [
            opened.enter_context(speaking(place, text))
            for text in (100 * ["POST /caption HT"] + 50 * [begun[:-2]] + 50 * [begun + "some"])
        ]
        for line in slow[::10]:
            line.sendall(b"X")  # another byte is no excuse
        assert works(place, photo)
        answers = [heard(line) for line in slow]
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
    assert b"took longer than 4 seconds" in answers[-1]


def test_more_connections_than_there_may_be_push_out_the_slowest(
    place: Place, photo: bytes
) -> None:
    with ExitStack() as opened:
        lines = [opened.enter_context(speaking(place, "POST")) for _ in range(320)]
        assert works(place, photo)
        for line in lines:
            line.settimeout(0.01)
        gone = [_has_ended(line) for line in lines]
    assert all(gone[:10])
    assert not all(gone)


def _has_ended(line: socket.socket) -> bool:
    try:
        return line.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def test_an_answer_that_nobody_takes_is_given_up(small_run: Path, photo: bytes) -> None:
    from rnnkit.captioning.serving import connections

    limits = Limits(seconds=0.5, header_seconds=0.5)
    with pytest.MonkeyPatch.context() as patch, serving([small_run], limits) as place:
        patch.setattr(connections, "GRACE", 0.5)
        asked = head(place, "/model").replace("POST", "GET", 1).replace("Connection: close\r\n", "")
        with speaking(place, 3000 * asked) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            time.sleep(2.0)
            assert works(place, photo)
            line.settimeout(20)
            found = heard(line)  # ends, for the server has given it up
        assert 0 < found.count(b"HTTP/1.1 200") < 3000


BOUNDARY = "Content-Type: multipart/form-data; boundary=xyz"
PART = '--xyz\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'


def test_forms_without_an_end_are_refused(place: Place, photo: bytes) -> None:
    body = PART.encode() + photo
    length = f"Content-Length: {len(body)}"
    assert said(place, head(place, "/caption", BOUNDARY, length), body)[0] == 400
    more = f"Content-Length: {len(body) + 10}"
    status, answer = said(place, head(place, "/caption", BOUNDARY, more), body)
    assert (status, b"took longer" in answer) == (408, True)
    for wrong in (b"", b"--xyz--\r\n", b"nothing", b"--xyz\r\nno header\r\n\r\n" + photo):
        lines = (BOUNDARY, f"Content-Length: {len(wrong)}")
        assert said(place, head(place, "/caption", *lines), wrong)[0] == 400
    assert place.ask("/caption", body, "multipart/form-data").status == 400
    many = b"".join(PART.encode() + b"x\r\n" for _ in range(100)) + b"--xyz--\r\n"
    assert place.ask("/caption", many, BOUNDARY.partition(": ")[2]).status == 400
    assert works(place, photo)


def test_a_client_that_stops_in_the_middle_leaves_nothing_behind(
    place: Place, photo: bytes
) -> None:
    lines = ("Content-Type: image/png", "Content-Length: 1000000")
    for _ in range(6):  # together more than there is room for
        with speaking(place, head(place, "/caption", *lines), bytes(900_000)):
            pass
    assert until(lambda: works(place, photo))


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


def until(true: Any) -> bool:
    """Whether something becomes true before long."""
    end = time.monotonic() + 10
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


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


@pytest.mark.parametrize("type", ["text/plain", "application/json", "image", "", "multipart/mixed"])
def test_a_body_of_another_type_is_refused(place: Place, photo: bytes, type: str) -> None:
    answer = place.ask("/caption", photo, type)
    assert answer.status == 415
    assert "multipart/form-data" in answer.json["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "TRACE", "OPTIONS"])
def test_other_methods_are_refused(place: Place, method: str) -> None:
    answer = place.ask("/caption", method=method)
    assert answer.status == 405
    assert answer.json["error"]


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


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -15)])
def test_a_signal_ends_it_at_once_with_open_streams(
    small_run: Path, photo: bytes, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    errors = (tmp_path / "errors").open("w+")
    with errors, server(small_run, errors) as (place, process), ExitStack() as opened:
        lines = ("Content-Type: image/png", "Accept: text/event-stream")
        path = "/caption?decoder={use='sample',draws=100}".replace("'", "%22")
        text = head(place, path, *lines, f"Content-Length: {len(photo)}")
        streams = [opened.enter_context(speaking(place, text, photo)) for _ in range(40)]
        opened.enter_context(speaking(place, text[:-10]))
        opened.enter_context(speaking(place, text))
        assert streams[0].recv(1 << 16).startswith(b"HTTP/1.1 200")
        process.send_signal(number)
        assert process.wait(20) == code
        assert (tmp_path / "errors").read_text() == ""


def test_what_is_answered_is_sent_at_once() -> None:
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP  # by which asyncio turns Nagle's algorithm off


def test_a_port_that_is_taken_is_told_in_a_sentence(small_run: Path, place: Place) -> None:
    def told(*options: str) -> str:
        result = CliRunner().invoke(app, ["serve", str(small_run), *options])
        assert isinstance(result.exception, RnnkitError)
        return str(result.exception)

    assert "is taken; name another with --port" in told("--port", str(place.port))
    assert "no address is known of the host" in told("--host", "nowhere.invalid", "--port", "0")
    assert "is no address of this machine" in told("--host", "192.0.2.1", "--port", "0")
