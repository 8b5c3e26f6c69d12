"""Pictures from files and from the web, and the figure of them."""

from __future__ import annotations

import http.server
import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnnkit.data import open_data
from rnnkit.data.looking import pictures
from rnnkit.data.looking.figure import Shown, choose_pictures, save_figure
from rnnkit.data.looking.pictures import fetch_image, load_picture
from rnnkit.data.photos.opening import open_photo
from rnnkit.errors import DataError, MissingPackage
from rnnkit.kinds import Picture
from tests.datafolders import write_data_folder


def encoded(pixels: Picture, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
PICTURE = encoded(PIXELS)


class Handler(http.server.BaseHTTPRequestHandler):
    """Good and bad answers, by path."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Host"]))  # type: ignore[attr-defined]  # of Server
        getattr(self, self.path.split("/")[1].split("?")[0].replace(".", "_"))()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def good_png(self) -> None:
        self.answer(200, PICTURE, Content_Type="image/png", Content_Length=str(len(PICTURE)))

    def endless_length_png(self) -> None:
        self.answer(200, PICTURE, Content_Type="image/png")

    def cut_png(self) -> None:
        self.answer(200, PICTURE[:-9], Content_Type="image/png", Content_Length=str(len(PICTURE)))

    def page(self) -> None:
        self.answer(200, b"<html>", Content_Type="text/html; charset=utf-8")

    def missing(self) -> None:
        self.answer(404)

    def huge(self) -> None:
        self.answer(200, Content_Type="image/png", Content_Length=str(10**9))

    def growing(self) -> None:
        self.answer(200, bytes(300_000), Content_Type="image/png")

    def moved(self) -> None:
        self.answer(302, Location="/good.png")

    def circle(self) -> None:
        self.answer(301, Location="/circle")

    def to(self) -> None:
        self.answer(307, Location=self.path.removeprefix("/to/"))

    def slow_head(self) -> None:
        self.trickle(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000)

    def slow_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.trickle(bytes(1000))

    def trickle(self, data: bytes) -> None:
        try:
            for i in range(len(data)):
                self.wfile.write(data[i : i + 1])
                time.sleep(0.02)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """Knows the paths and hosts it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["good.png", "endless_length.png", "moved"])
def test_a_picture_is_fetched(server: Server, path: str) -> None:
    assert fetch_image(f"{server.url}/{path}", allow_private=True) == PICTURE


def test_addresses_are_asked_for_as_they_are(server: Server) -> None:
    fetch_image(f"{server.url}/good.png?a=1 2&b=%20é#part", allow_private=True)
    assert server.seen == [("/good.png?a=1%202&b=%20%C3%A9", f"127.0.0.1:{server.server_port}")]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("page", "is not an image, but text/html"),
        ("missing", "404"),
        ("huge", "more than 100,000 bytes"),
        ("growing", "more than 100,000 bytes"),
        ("circle", "redirected more than 5 times"),
        ("cut.png", "cut short, 9 bytes before its end"),
        ("slow_head", "longer than 0.3 seconds"),
        ("slow_body", "longer than 0.3 seconds"),
        ("to/file:///etc/passwd", "is refused"),
        ("to/ftp://example.org/a.png", "is refused"),
        ("to/http://[half", "cannot be fetched"),
    ],
)
def test_what_is_no_picture_is_refused(server: Server, path: str, text: str) -> None:
    before = time.monotonic()
    with pytest.raises(DataError, match=text):
        fetch_image(f"{server.url}/{path}", timeout=0.3, limit=100_000, allow_private=True)
    assert time.monotonic() - before < 3


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a.png",
        "gopher://example.org/",
        "example.org/a.png",
        "http://",
        "http://[::1",
        "http://example.org:99999/",
        "http://127.0.0.1/a.png",
        "http://127.1/a.png",
        "http://2130706433/a.png",
        "http://0.0.0.0/",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[ff02::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.1.2.3/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "https://user:word@127.0.0.1/",
    ],
)
def test_addresses_that_are_not_public_are_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object) -> socket.socket:
        raise AssertionError("there must be no connection")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(DataError, match=r"refused|not an address|not known"):
        fetch_image(url)


Resolver = Callable[..., list[tuple[int, int, int, str, tuple[str, int]]]]


def resolver(hosts: dict[str, list[list[str]]]) -> Resolver:
    """A resolver that gives each host's answers in turn."""

    def resolve(
        host: str, port: int, **_: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        answers = hosts[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found]

    return resolve


def connect_to(server: Server, asked: list[str]) -> Callable[..., socket.socket]:
    """Connections that all lead to the server, and a note of where they were to lead."""

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address[0])
        made = socket.socket()
        made.connect(("127.0.0.1", server.server_port))
        return made

    return connect


def test_names_of_private_hosts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = {"inside.example": [["10.0.0.1"]], "both.example": [["93.184.215.14", "127.0.0.1"]]}
    monkeypatch.setattr(socket, "getaddrinfo", resolver(hosts))
    for host in hosts:
        with pytest.raises(DataError, match=f"{host} has the address .* not public"):
            fetch_image(f"http://{host}/a.png")


def test_each_redirect_is_checked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    hosts = {"out.example": [["93.184.215.14"]], "in.example": [["192.168.0.7"]]}
    hosts["169.254.169.254"] = [["169.254.169.254"]]
    monkeypatch.setattr(socket, "getaddrinfo", resolver(hosts))
    monkeypatch.setattr(socket, "create_connection", connect_to(server, asked))
    for target in ("http://in.example/good.png", "http://169.254.169.254/good.png"):
        with pytest.raises(DataError, match="not public"):
            fetch_image(f"http://out.example/to/{target}")
    assert asked == ["93.184.215.14", "93.184.215.14"]
    assert [path.split("/")[1] for path, _ in server.seen] == ["to", "to"]


def test_the_checked_address_itself_is_connected_to(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look-up would give the private address."""
    asked: list[str] = []
    hosts = {"changing.example": [["93.184.215.14"], ["127.0.0.1"]]}
    monkeypatch.setattr(socket, "getaddrinfo", resolver(hosts))
    monkeypatch.setattr(socket, "create_connection", connect_to(server, asked))
    assert fetch_image("http://changing.example/good.png") == PICTURE
    assert asked == ["93.184.215.14"]
    assert server.seen == [("/good.png", "changing.example")]


def test_an_encrypted_connection_that_is_none_is_told(server: Server) -> None:
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch_image(server.url.replace("http", "https"), timeout=2, allow_private=True)


def test_nobody_listens_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match=r"cannot be fetched: .*refused"):
            fetch_image(f"http://127.0.0.1:{port}/", allow_private=True)


def test_pictures_are_decoded() -> None:
    np.testing.assert_array_equal(open_photo(PICTURE), PIXELS)
    grey = np.full((4, 6), 90, np.uint8)
    assert (open_photo(encoded(grey, "JPEG")) == 90).all()
    assert open_photo(encoded(grey, "GIF")).shape == (4, 6, 3)


@pytest.mark.parametrize("data", [b"", b"<svg/>", PICTURE[:40], b"GIF89a" + bytes(4)])
def test_what_is_not_a_picture_is_told(data: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.png is (empty|not a picture|a damaged picture)"):
        open_photo(data, "a.png")


def test_drawing_without_its_packages_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackage, match=r'pip install "rnnkit\[photos\]"'):
        open_photo(PICTURE)
    with pytest.raises(MissingPackage, match=r'pip install "rnnkit\[plots\]"'):
        save_figure(tmp_path / "f.png", [Shown("no picture", ())])


def test_too_many_pixels_are_not_unpacked() -> None:
    file = io.BytesIO()
    Image.new("1", (10000, 10000)).save(file, "PNG")
    with pytest.raises(DataError, match=r"is refused: it has .* 89,000,000"):
        open_photo(file.getvalue())


def test_files_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(PICTURE)
    np.testing.assert_array_equal(load_picture(str(tmp_path / "a.png")), PIXELS)
    with pytest.raises(DataError, match=r"none\.png cannot be read"):
        load_picture(str(tmp_path / "none.png"))
    monkeypatch.setattr(pictures, "LIMIT", 10)
    with pytest.raises(DataError, match="more than 10 bytes"):
        load_picture(str(tmp_path / "a.png"))


def test_scenes_are_shown_with_their_captions(tiny_data: Path) -> None:
    with open_data(tiny_data) as data:
        first = choose_pictures(data, "val", 3)
        drawn, again, other = (choose_pictures(data, "val", 8, seed) for seed in (1, 1, 2))
        split = data.split("val")
        captions = tuple(data.vocabulary.decode(row) for row in split.captions_of(2))
    assert len(first) == 3
    assert first[2].captions == captions
    assert split.pictures is not None
    np.testing.assert_array_equal(first[2].picture, load_picture(split.pictures[2]))
    assert [s.captions for s in drawn] == [s.captions for s in again]
    assert [s.captions for s in drawn] != [s.captions for s in other]
    assert len(drawn) == 8


def test_a_picture_that_cannot_be_had_leaves_its_reason(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path / "data", splits=["train"], images=2)

    def load(place: str) -> Picture:
        if place.endswith("train0.png"):
            raise DataError("it rains")
        return PIXELS

    with open_data(folder) as data:
        shown = choose_pictures(data, n=5, load=load)
        (folder / "train_urls.txt").unlink()
        (folder / "train_images.txt").unlink()
    assert shown[0].picture == "it rains"
    assert shown[1].picture is PIXELS
    with open_data(folder) as data:
        assert "does not say" in str(choose_pictures(data)[0].picture)


def test_captions_that_need_more_room_than_a_picture_are_drawn(tmp_path: Path) -> None:
    caption = " ".join([r"word\x1b]0;owned\x07"] * 12)
    save_figure(tmp_path / "f.png", [Shown("no picture", (caption,) * 12)] * 4)
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_the_figure_has_pictures_captions_and_grey_boxes(tmp_path: Path) -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[:, :, 0] = 255
    shown = [Shown(red, ("costs $5 and $6", "b" * 90)), Shown("no $ picture $", ())] * 2
    save_figure(tmp_path / "f.png", shown)
    pixels = load_picture(str(tmp_path / "f.png"))
    assert (pixels == (255, 0, 0)).all(axis=2).mean() > 0.1
    assert (pixels == (224, 224, 224)).all(axis=2).mean() > 0.1
    for file in (tmp_path / "f.nonsense", tmp_path / "none" / "f.png"):
        with pytest.raises(DataError, match="cannot write"):
            save_figure(file, shown)


def test_the_command_draws_scenes(tiny_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rnnkit", "data", "show", str(tiny_data), "--n", "2"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "wrote scenes-train.png\n"
    assert load_picture(str(tmp_path / "scenes-train.png")).size
