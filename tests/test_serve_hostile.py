"""What is sent to `rnnkit serve` to harm it is refused, and others are served meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rnnkit.captioning.serving import Limits, connections
from tests.lines import BOUNDARY, LIMITS, PART, head, heard, said, speaking, until, works
from tests.servers import Place, serving


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run], LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def photo(tiny_data: Path) -> bytes:
    return (tiny_data / "images" / "val" / "00000.png").read_bytes()


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
