"""`rnnkit serve` begins with a sentence, and ends at once."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnnkit.captioning.serving.running import listen
from rnnkit.cli import app
from rnnkit.errors import RnnkitError
from tests.lines import LIMITS, head, speaking
from tests.many_clients import server
from tests.servers import Place, serving


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run], LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def photo(tiny_data: Path) -> bytes:
    return (tiny_data / "images" / "val" / "00000.png").read_bytes()


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
