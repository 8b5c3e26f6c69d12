"""Fetching data: from a server that does everything wrong, on this machine and in this process."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.server
import io
import itertools
import os
import re
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

from rnnkit.data import open_data
from rnnkit.data.fetching import download as downloading
from rnnkit.data.fetching import fetch as fetching
from rnnkit.data.fetching import paced
from rnnkit.data.fetching.fetch import CATALOGUE, Fetched, fetch
from rnnkit.errors import CheckpointError, DataError
from rnnkit.system.files import sole_owner
from tests.datafolders import write_data_folder

FILES = CATALOGUE["coco2014"].files
HANGS_UP = 0
KEPT = ["coco_captioning.zip", "coco_captioning.zip.json"]


@attrs.define
class Hosted:
    """A file on a server, and how the server misbehaves.

    Attributes:
        body: the file.
        etag: its ETag; None for a server that sends neither ETag nor Last-Modified.
        ranges: whether Range is honoured.
        if_range: whether If-Range is.
        statuses: of the next answers, instead of the file; HANGS_UP for no answer at all.
        stops: the bytes after which each of the next answers breaks off.
        reset: break off with a reset, not as if all had been sent.
        announced: Content-Length, instead of the truth; -1 for none.
        stalls: leave the connection open and silent after the last byte.
    drips: send it by single bytes, with a rest after each: the "body", "headers" that never end, or the body of a "redirection",
            which does not end.
        kind: Content-Type.
        redirect: where to send everybody who does not ask for it.
        change: done after each answer.
        asked: the Range of each request so far, or "".
        url: where it is.
        released: ends stalling.
    """

    body: bytes
    etag: str | None = '"first"'
    ranges: bool = True
    if_range: bool = True
    statuses: list[int] = attrs.Factory(list)
    stops: list[int] = attrs.Factory(list)
    reset: bool = False
    announced: int | None = None
    stalls: bool = False
    drips: str = ""
    kind: str = "application/zip"
    redirect: str | None = None
    change: Callable[[Hosted], None] = lambda hosted: None
    asked: list[str] = attrs.Factory(list)
    url: str = ""
    released: threading.Event = attrs.Factory(threading.Event)


class Handler(http.server.BaseHTTPRequestHandler):
    hosted: Hosted

    def do_GET(self) -> None:
        hosted = self.hosted
        hosted.asked.append(self.headers.get("Range", ""))
        if hosted.redirect and self.path != "/there":
            self._head(302, {"Location": hosted.redirect})
            if hosted.drips:
                self._drip(itertools.repeat(b"x"))
        elif hosted.statuses[:1] == [HANGS_UP]:
            hosted.statuses.pop(0)
        elif hosted.statuses:
            self._head(hosted.statuses.pop(0), {"Content-Length": "0"})
        else:
            self._send_file(hosted)
        hosted.change(hosted)

    def _send_file(self, hosted: Hosted) -> None:
        start = self._start(hosted)
        total = len(hosted.body)
        if start >= total > 0:
            self._head(416, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
            return
        headers = {"Content-Type": hosted.kind}
        if hosted.announced != -1:
            headers["Content-Length"] = str(hosted.announced or total - start)
        if hosted.etag:
            headers["ETag"] = hosted.etag
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        if hosted.drips == "headers":
            self._drip(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"))
        self._head(206 if start else 200, headers)
        if hosted.drips in ("body", "headers"):
            self._drip(bytes([byte]) for byte in hosted.body[start:])
        self.wfile.write(hosted.body[start : hosted.stops.pop(0) if hosted.stops else None])
        self.wfile.flush()
        if hosted.stalls:
            hosted.released.wait(10)
        if hosted.reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def _drip(self, pieces: Iterable[bytes]) -> None:
        with contextlib.suppress(OSError):  # the client has had enough
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(0.002)

    def _start(self, hosted: Hosted) -> int:
        asked = self.headers.get("Range")
        if asked is None or not hosted.ranges:
            return 0
        if hosted.if_range and self.headers.get("If-Range") != hosted.etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Silent: its clients are meant to hang up."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts, and no proxy between here and here."""
    monkeypatch.setattr(downloading, "PAUSES", (0.0,) * 4)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco") / "data"
    return write_data_folder(folder, assignment=True, raw=True, images=20, width=32)


@pytest.fixture(scope="module")
def body(data: Path) -> bytes:
    return zipped({f"coco_captioning/{name}": (data / name).read_bytes() for name in FILES})


@pytest.fixture
def server(body: bytes) -> Iterator[Hosted]:
    hosted = Hosted(body)
    handler = type("Bound", (Handler,), {"hosted": hosted})
    with Server(("127.0.0.1", 0), handler) as running:
        hosted.url = f"http://127.0.0.1:{running.server_address[1]}/coco_captioning.zip"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield hosted
        hosted.released.set()
        running.shutdown()
        thread.join()


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def added(body: bytes, entry: zipfile.ZipInfo, content: bytes = b"x") -> bytes:
    """An archive with one entry more."""
    made = io.BytesIO(body)
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr(entry, content, entry.compress_type)
    return made.getvalue()


def get(server: Hosted, folder: Path, **options: str | bool) -> Fetched:
    return fetch("coco2014", folder, url=server.url, **options)  # type: ignore[arg-type]  # by name


def problem(server: Hosted, folder: Path, **options: str | bool) -> str:
    """What fetching says is wrong; in one line, and with nothing of the data set left."""
    with pytest.raises(DataError) as raised:
        get(server, folder, **options)
    assert "\n" not in str(raised.value)
    assert not folder.is_dir() or not {*FILES} & set(os.listdir(folder))
    assert not (folder / ".coco2014.unpacking").exists()
    return str(raised.value)


def limit(monkeypatch: pytest.MonkeyPatch, **changes: int | str) -> None:
    changed = attrs.evolve(CATALOGUE["coco2014"], **changes)  # type: ignore[arg-type]  # by name
    monkeypatch.setitem(CATALOGUE, "coco2014", changed)


# What it does when all goes well


@pytest.mark.parametrize("moved", [1, 4, len(FILES)])
def test_files_that_were_being_moved_when_it_was_killed_are_moved_on(
    moved: int, server: Hosted, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    get(server, folder)
    moving = folder / ".coco2014.moving"
    moving.mkdir()
    for name in FILES[:moved]:
        (folder / name).rename(moving / name)
    server.asked.clear()
    assert not get(server, folder).new
    assert not server.asked
    assert not moving.exists()
    for name in FILES:
        assert (folder / name).read_bytes() == (data / name).read_bytes()


def test_the_archive_becomes_a_data_folder_and_goes(
    server: Hosted, data: Path, tmp_path: Path
) -> None:
    fetched = get(server, tmp_path / "new" / "coco")
    assert sorted(os.listdir(fetched.folder)) == sorted(FILES)
    assert all((fetched.folder / n).read_bytes() == (data / n).read_bytes() for n in FILES)
    with open_data(fetched.folder) as dataset:
        assert list(dataset.splits) == ["train", "val"]
    assert fetched.new
    assert fetched.archive is None
    assert fetched.sha256 == hashlib.sha256(server.body).hexdigest()
    assert server.asked == [""]


def test_of_two_fetches_into_one_folder_one_goes_on_and_the_other_says_who_has_it(
    server: Hosted, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with (
        sole_owner(tmp_path / "out"),
        pytest.raises(CheckpointError, match="out is in use: "),
    ):
        get(server, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    assert get(server, tmp_path / "out").folder == tmp_path / "out"


def test_keep_leaves_the_archive(server: Hosted, tmp_path: Path) -> None:
    fetched = get(server, tmp_path, keep=True)
    assert fetched.archive == tmp_path / "coco_captioning.zip"
    assert fetched.archive.read_bytes() == server.body


def test_a_complete_folder_is_left_as_it_is(server: Hosted, data: Path, tmp_path: Path) -> None:
    get(server, tmp_path)
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in FILES}
    again = get(server, tmp_path)
    assert not again.new
    assert len(server.asked) == 1
    assert times == {name: (tmp_path / name).stat().st_mtime_ns for name in FILES}


def test_progress_goes_from_nothing_to_all(server: Hosted, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    fetch("coco2014", tmp_path, url=server.url, on_progress=lambda *step: told.append(step))
    for stage in ("downloading", "unpacking"):
        steps = [(done, total) for name, done, total in told if name == stage]
        assert steps == sorted(steps)
        assert steps[0][0] == 0
        assert steps[-1][0] == steps[-1][1]


def test_other_files_of_the_archive_stay_in_it(server: Hosted, tmp_path: Path) -> None:
    server.body = added(server.body, zipfile.ZipInfo("__MACOSX/coco_captioning/._.DS_Store"))
    get(server, tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(FILES)


def test_redirections_are_followed(server: Hosted, tmp_path: Path) -> None:
    server.redirect = "/there"
    assert get(server, tmp_path).new


# Drops and resuming


@pytest.mark.parametrize("reset", [False, True])
def test_a_download_goes_on_after_drops(server: Hosted, tmp_path: Path, reset: bool) -> None:
    server.stops, server.reset = [1000, 2000, 5000], reset
    if reset:  # what a reset destroys on its way is lost; the rest must come whole
        server.change = lambda hosted: setattr(hosted, "reset", bool(hosted.stops))
    assert get(server, tmp_path).sha256 == hashlib.sha256(server.body).hexdigest()
    if not reset:
        assert server.asked == ["", "bytes=1000-", "bytes=2000-", "bytes=5000-"]


def test_a_later_call_goes_on_where_the_first_stopped(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stops = [3000]
    with monkeypatch.context() as patched:
        patched.setattr(downloading, "PAUSES", ())
        said = problem(server, tmp_path)
    assert f"ended after 3,000 of {len(server.body):,} bytes" in said
    assert "it goes on where this one stopped" in said
    said_then: list[str] = []
    assert fetch("coco2014", tmp_path, url=server.url, say=said_then.append).new
    assert said_then[0].endswith(f"from {server.url}, after the 3,000 bytes that are there")
    assert server.asked == ["", "bytes=3000-"]
    assert sorted(os.listdir(tmp_path)) == sorted(FILES)


def test_more_drops_than_pauses_are_survived_while_bytes_come(
    server: Hosted, tmp_path: Path
) -> None:
    server.stops = list(range(500, 5500, 500))
    assert get(server, tmp_path).new
    assert len(server.asked) == 11


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_between_attempts_is_started_anew(
    server: Hosted, body: bytes, tmp_path: Path, if_range: bool
) -> None:
    def change(hosted: Hosted) -> None:
        hosted.body, hosted.etag = newer, '"second"'

    newer = added(body, zipfile.ZipInfo("coco_captioning/README"))
    server.stops, server.change, server.if_range = [4000], change, if_range
    assert get(server, tmp_path).sha256 == hashlib.sha256(newer).hexdigest()


def test_a_file_that_became_shorter_than_its_part_is_started_anew(
    server: Hosted, data: Path, tmp_path: Path
) -> None:
    def change(hosted: Hosted) -> None:
        hosted.body, hosted.etag = shorter, '"second"'

    shorter = zipped({name: (data / name).read_bytes() for name in FILES})
    assert len(shorter) < len(server.body)
    stop = len(server.body) - 10
    server.stops, server.change, server.if_range = [stop], change, False
    assert get(server, tmp_path).sha256 == hashlib.sha256(shorter).hexdigest()
    assert server.asked == ["", f"bytes={stop}-", ""]


def test_a_server_that_ignores_ranges_sends_everything_again(
    server: Hosted, tmp_path: Path
) -> None:
    server.stops, server.ranges = [1000], False
    assert get(server, tmp_path).new
    assert server.asked == ["", "bytes=1000-"]


def test_a_server_that_always_breaks_off_in_one_place_is_given_up(
    server: Hosted, tmp_path: Path
) -> None:
    server.stops, server.ranges = [1000] * 50, False
    assert "ended after 1,000" in problem(server, tmp_path)
    assert len(server.asked) == 5


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_sure_sign_of_the_same_file_nothing_is_resumed(
    server: Hosted, tmp_path: Path, etag: str | None
) -> None:
    server.stops, server.etag = [1000], etag
    assert get(server, tmp_path).new
    assert server.asked == ["", ""]


def test_a_damaged_note_beside_the_part_starts_anew(server: Hosted, tmp_path: Path) -> None:
    (tmp_path / "coco_captioning.zip.part").write_bytes(b"something")
    (tmp_path / "coco_captioning.zip.part.json").write_text("[]")
    assert get(server, tmp_path).new
    assert server.asked == [""]


def test_a_server_that_says_nothing_more_is_left(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced, "TIMEOUT", 0.1)
    monkeypatch.setattr(downloading, "PAUSES", ())
    server.stops, server.stalls = [1000], True
    assert "timed out" in problem(server, tmp_path)


@pytest.mark.parametrize("drips", ["body", "headers"])
def test_a_server_that_drips_is_left_though_each_attempt_brings_some_bytes(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drips: str
) -> None:
    monkeypatch.setattr(paced, "TIMEOUT", 0.05)
    server.drips = drips
    said = problem(server, tmp_path)
    assert re.search(
        r"zip is too slow: \d+ bytes of the file came in 0 s, and 1,000 a second are the least",
        said,
    )
    assert len(server.asked) == 1 + len(downloading.PAUSES)
    assert ("it goes on where this one stopped" in said) == (drips == "body")


def test_what_is_sent_with_a_redirection_is_not_read(server: Hosted, tmp_path: Path) -> None:
    server.redirect, server.announced = "/there", -1
    server.drips = "redirection"
    assert get(server, tmp_path).new


# Sizes


def test_a_server_that_announces_too_much_is_found_out(server: Hosted, tmp_path: Path) -> None:
    server.announced = len(server.body) + 100
    server.change = lambda hosted: setattr(hosted, "announced", None)
    assert get(server, tmp_path).new


@pytest.mark.parametrize("announced", [1, 2000])
def test_a_server_that_announces_too_little_gives_no_archive(
    server: Hosted, tmp_path: Path, announced: int
) -> None:
    server.announced = announced
    assert "not a whole zip archive" in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_server_that_announces_nothing_is_believed_if_the_archive_is_whole(
    server: Hosted, tmp_path: Path
) -> None:
    server.announced = -1
    assert get(server, tmp_path).new
    server.stops = [3000]
    assert "not a whole zip archive" in problem(server, tmp_path / "other")


def test_a_truncated_file_on_the_server_is_no_archive(server: Hosted, tmp_path: Path) -> None:
    server.body = server.body[:-30]
    assert "not a whole zip archive" in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("announced", [None, -1])
def test_a_file_that_is_too_large_is_not_taken(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, announced: int | None
) -> None:
    limit(monkeypatch, most_packed=2000)
    server.announced = announced
    assert "is larger than the 2,000 bytes allowed" in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("announced", [None, -1])
def test_a_file_of_another_size_than_known_is_not_taken(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, announced: int | None
) -> None:
    limit(monkeypatch, size=len(server.body) + 1)
    server.announced = announced
    assert f"gives {len(server.body):,} bytes, but the file must have" in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


# Refusals


def test_a_missing_file_is_asked_for_once(server: Hosted, tmp_path: Path) -> None:
    server.statuses = [404]
    said = problem(server, tmp_path)
    assert "answers 404 Not Found" in said
    assert f"put it at {tmp_path / 'coco_captioning.zip'}" in said
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server: Hosted, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    said: list[str] = []
    assert fetch("coco2014", tmp_path, url=server.url, say=said.append).new
    assert [text.partition("answers ")[2] for text in said[1:]] == [
        "503 Service Unavailable; trying again in 0 s",
        "429 Too Many Requests; trying again in 0 s",
    ]


def test_a_server_that_hangs_up_without_an_answer_is_asked_again(
    server: Hosted, tmp_path: Path
) -> None:
    server.statuses = [HANGS_UP]
    assert get(server, tmp_path).new
    assert len(server.asked) == 2


def test_a_server_that_stays_busy_is_given_up(server: Hosted, tmp_path: Path) -> None:
    server.statuses = [503] * 50
    assert "answers 503" in problem(server, tmp_path)
    assert len(server.asked) == 5


def test_a_web_page_in_the_place_of_the_file_does_not_cost_what_is_there(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "PAUSES", ())
    server.stops = [3000]
    problem(server, tmp_path)
    server.kind, server.ranges = "text/html; charset=utf-8", False
    assert "answers with a web page" in problem(server, tmp_path)
    assert (tmp_path / "coco_captioning.zip.part").stat().st_size == 3000


def test_an_answer_without_a_file_is_refused(server: Hosted, tmp_path: Path) -> None:
    server.statuses = [204]
    assert "answers with 204 No Content" in problem(server, tmp_path)


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "/round"])
def test_a_redirection_to_anything_but_http_leads_nowhere(
    server: Hosted, tmp_path: Path, target: str
) -> None:
    server.redirect = target
    assert "run the same command again" in problem(server, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/hostname",
        "ftp://example.org/x",
        "coco.zip",
        "http://",
        "http://[::1",
        "HTTP:/x",
    ],
)
def test_other_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DataError, match="is not an address that starts with http"):
        fetch("coco2014", tmp_path, url=url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port/", "http://127.0.0.1/a b", "http://127.0.0.1/ä"]
)
def test_broken_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DataError, match="is not an address: "):
        fetch("coco2014", tmp_path, url=url)


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"named 'coco2041'; did you mean coco2014\?"):
        fetch("coco2041", tmp_path)


# No network


def test_without_a_network_it_says_what_to_do_and_that_works(
    server: Hosted, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    url, archive = f"http://127.0.0.1:{port}/x.zip", tmp_path / "coco_captioning.zip"
    with pytest.raises(DataError) as raised:
        fetch("coco2014", tmp_path, url=url)
    assert str(raised.value) == (
        f"cannot reach {url}: Connection refused; run the same command again when there is a network, or "
        f"download {url} elsewhere and put it at {archive}, which the same command then unpacks"
    )
    archive.write_bytes(server.body)
    fetched = fetch("coco2014", tmp_path, url=url)
    assert fetched.new
    assert fetched.archive == archive
    with open_data(tmp_path):
        pass


def test_an_archive_put_there_by_hand_is_never_removed(server: Hosted, tmp_path: Path) -> None:
    archive = tmp_path / "coco_captioning.zip"
    archive.write_bytes(server.body[:-30])
    assert "remove it, or put the right one in its place" in problem(server, tmp_path)
    assert archive.exists()
    assert server.asked == []


# Digests


def test_the_right_digest_is_accepted(server: Hosted, tmp_path: Path) -> None:
    digest = hashlib.sha256(server.body).hexdigest()
    assert get(server, tmp_path, sha256=digest.upper()).sha256 == digest


def test_a_wrong_digest_is_refused(server: Hosted, tmp_path: Path) -> None:
    said = problem(server, tmp_path, sha256="0" * 64)
    assert f"has the SHA-256 digest {hashlib.sha256(server.body).hexdigest()}, not 000" in said
    assert os.listdir(tmp_path) == []


def test_the_digest_of_the_catalogue_is_checked(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, sha256="1" * 64)
    assert "not 111" in problem(server, tmp_path)


def test_a_digest_that_is_none_is_refused_before_anything_is_done(
    server: Hosted, tmp_path: Path
) -> None:
    assert "64 hexadecimal digits" in problem(server, tmp_path, sha256="abc")
    assert server.asked == []


# Archives that are not to be trusted


def linked(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def packed(name: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = method
    return entry


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (zipfile.ZipInfo("../evil"), "leads out of the archive"),
        (zipfile.ZipInfo("coco_captioning/../../evil"), "leads out of the archive"),
        (zipfile.ZipInfo("coco_captioning\\..\\..\\evil"), "leads out of the archive"),
        (zipfile.ZipInfo("../coco2014_vocab.json"), "leads out of the archive"),
        (zipfile.ZipInfo("/evil"), "is an absolute path"),
        (zipfile.ZipInfo(""), "has no name"),
        (zipfile.ZipInfo("C:\\evil"), "is an absolute path"),
        (linked("coco_captioning/link"), "is a link"),
        (linked("coco_captioning/coco2014_vocab.json"), "is a link"),
        (packed("coco_captioning/x", zipfile.ZIP_BZIP2), "is packed in a way"),
        (packed("coco_captioning/x", zipfile.ZIP_LZMA), "is packed in a way"),
        (zipfile.ZipInfo("again/coco2014_vocab.json"), "two files called coco2014_vocab.json"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_harmful_archives_are_not_unpacked(
    server: Hosted, tmp_path: Path, entry: zipfile.ZipInfo, said: str
) -> None:
    server.body = added(server.body, entry, b"/etc/passwd")
    assert said in problem(server, tmp_path / "coco")
    assert os.listdir(tmp_path) == ["coco"]
    assert os.listdir(tmp_path / "coco") == []


def test_encrypted_archives_are_not_unpacked(server: Hosted, tmp_path: Path) -> None:
    at = server.body.index(b"PK\x01\x02") + 8  # the flags of the first entry in the directory
    server.body = server.body[:at] + b"\x01" + server.body[at + 1 :]
    assert "is encrypted" in problem(server, tmp_path)


def test_a_bomb_is_not_unpacked(
    server: Hosted, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, most_unpacked=1_000_000)
    files = {name: (data / name).read_bytes() for name in FILES}
    server.body = zipped(files | {FILES[2]: bytes(3_000_000)})
    assert "more than the 1,000,000 allowed" in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_bomb_that_lies_about_its_size_stays_small(
    server: Hosted, data: Path, tmp_path: Path
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.writestr(name, bytes(3_000_000))
            archive.getinfo(name).file_size = 10
    server.body = made.getvalue()
    unpacked: list[int] = []

    def on_progress(stage: str, done: int, total: int | None) -> None:
        if stage == "unpacking":
            unpacked.append(done)

    with pytest.raises(DataError, match=r"not a whole zip archive \(Bad CRC"):
        fetch("coco2014", tmp_path, url=server.url, on_progress=on_progress)
    assert max(unpacked) <= 10
    assert os.listdir(tmp_path) == []


def test_one_wrong_byte_in_the_archive_is_found(server: Hosted, tmp_path: Path) -> None:
    at = len(server.body) // 3
    server.body = server.body[:at] + bytes([server.body[at] ^ 1]) + server.body[at + 1 :]
    assert "not a whole zip archive" in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"PK", "is not a whole zip archive"),
        (b"<html>no</html>", "is not a zip archive: it is a web page, perhaps of an error"),
        (b"PK\x05\x06" + b"\xff" * 18, "is not a whole zip archive"),
    ],
)
def test_what_is_no_archive_is_told(
    server: Hosted, tmp_path: Path, content: bytes, told: str
) -> None:
    server.body = content
    assert told in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


def test_an_archive_that_lacks_files_is_told(server: Hosted, data: Path, tmp_path: Path) -> None:
    server.body = zipped({n: (data / n).read_bytes() for n in FILES[2:]})
    assert "lacks coco2014_captions.h5, coco2014_vocab.json" in problem(server, tmp_path)
    assert sorted(os.listdir(tmp_path)) == KEPT


def test_an_archive_with_other_content_is_told(server: Hosted, data: Path, tmp_path: Path) -> None:
    files = {name: (data / name).read_bytes() for name in FILES}
    server.body = zipped(files | {"coco2014_vocab.json": b"{}"})
    assert "does not hold the data set" in problem(server, tmp_path)
    assert sorted(os.listdir(tmp_path)) == KEPT


def test_an_archive_of_another_address_is_not_used(
    server: Hosted, body: bytes, tmp_path: Path
) -> None:
    server.body = zipped({"README": b""})
    problem(server, tmp_path)
    problem(server, tmp_path)
    assert server.asked == [""]  # the same address: the archive is there
    server.body, said = body, list[str]()
    assert fetch("coco2014", tmp_path, url=f"{server.url}?right", say=said.append).new
    assert said[0] == f"{tmp_path / KEPT[0]} is of {server.url}, and is replaced"
    assert sorted(os.listdir(tmp_path)) == sorted(FILES)


def test_an_archive_put_in_the_place_of_a_downloaded_one_is_used(
    server: Hosted, body: bytes, tmp_path: Path
) -> None:
    server.body = zipped({"README": b""})
    problem(server, tmp_path)
    (tmp_path / KEPT[0]).write_bytes(body)
    assert fetch("coco2014", tmp_path, url=f"{server.url}?other").archive == tmp_path / KEPT[0]
    assert server.asked == [""]


def test_a_part_of_another_address_is_not_gone_on_with(server: Hosted, tmp_path: Path) -> None:
    server.stops, server.statuses = [3000], []
    server.change = lambda hosted: hosted.statuses.append(404)
    problem(server, tmp_path)
    server.statuses, server.change = [], lambda hosted: None
    assert fetch("coco2014", tmp_path, url=f"{server.url}?other").new
    assert server.asked == ["", "bytes=3000-", ""]


# Folders


def test_files_in_the_way_are_not_overwritten(server: Hosted, tmp_path: Path) -> None:
    (tmp_path / "val2014_urls.txt").write_text("mine")
    with pytest.raises(DataError, match=r"but not coco2014_captions.h5, .*; remove"):
        get(server, tmp_path)
    assert server.asked == []
    assert (tmp_path / "val2014_urls.txt").read_text() == "mine"


def test_a_complete_folder_that_is_damaged_is_told(server: Hosted, tmp_path: Path) -> None:
    get(server, tmp_path)
    (tmp_path / "coco2014_captions.h5").write_bytes(b"")
    with pytest.raises(DataError, match=r"has all files of the data set, but .*remove them"):
        get(server, tmp_path)


def test_a_folder_of_other_data_is_refused(server: Hosted, tmp_path: Path) -> None:
    write_data_folder(tmp_path)
    assert "holds other data" in problem(server, tmp_path)


def test_what_a_crash_left_is_cleared_away(server: Hosted, tmp_path: Path) -> None:
    left = tmp_path / ".coco2014.unpacking"
    left.mkdir()
    (left / FILES[0]).write_bytes(b"half")
    get(server, tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(FILES)


def test_a_move_that_fails_half_way_is_taken_back(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == FILES[3] and path.parent.name.startswith("."):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    assert "Input/output error" in problem(server, tmp_path)


def test_a_file_in_the_place_of_the_folder_is_told(server: Hosted, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "give a folder that you may write to" in problem(server, tmp_path / "file")


def test_a_file_system_that_is_read_only_is_told(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    part = tmp_path / "coco_captioning.zip.part"
    assert problem(server, tmp_path) == f"cannot write {part}: Read-only file system"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_is_read_only_is_told(server: Hosted, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in problem(server, tmp_path)
    assert os.listdir(tmp_path) == []


# Full disks


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_told_while_downloading(server: Hosted, tmp_path: Path) -> None:
    (tmp_path / "coco_captioning.zip.part").symlink_to("/dev/full")
    assert "No space left on device" in problem(server, tmp_path)


@pytest.mark.parametrize("downloading", [True, False])
def test_too_little_room_is_told_before_it_is_used_up(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloading: bool
) -> None:
    free = len(server.body) - downloading
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    assert ("are still to come" if downloading else "unpacks to") in problem(server, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ([] if downloading else KEPT)


def test_a_file_that_cannot_be_written_while_unpacking_leaves_nothing(
    body: bytes, tmp_path: Path
) -> None:
    (tmp_path / "coco_captioning.zip").write_bytes(body)
    ran = rnnkit(
        "data",
        "fetch",
        "coco2014",
        tmp_path,
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith(
        f"cannot unpack {tmp_path / 'coco_captioning.zip'} into {tmp_path}"
    )
    assert "File too large" in ran.stderr
    assert os.listdir(tmp_path) == ["coco_captioning.zip"]


# The command


def rnnkit(
    *arguments: str | Path, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    # Where files are limited in size, Python would leave modules that it compiles cut off, for all who come after.
    limited = ["-B"] if before else []
    command = [sys.executable, *limited, "-m", "rnnkit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=before)


def test_the_command_fetches_once(server: Hosted, tmp_path: Path) -> None:
    first = rnnkit("data", "fetch", "coco2014", tmp_path, "--url", server.url, "--keep")
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [
        f"downloading {CATALOGUE['coco2014'].title} from {server.url}",
        f"{tmp_path / 'coco_captioning.zip'} is kept; it is not needed any more",
        f"the archive's SHA-256 digest is {hashlib.sha256(server.body).hexdigest()}",
        f"wrote coco2014 into {tmp_path}; rnnkit data info {tmp_path} shows it",
    ]
    again = rnnkit("data", "fetch", "coco2014", tmp_path, "--url", server.url)
    assert again.stdout == f"{tmp_path} has coco2014 already; nothing to do\n"
    assert len(server.asked) == 1


def test_the_command_can_be_interrupted_and_succeeds_the_next_time(
    server: Hosted, tmp_path: Path
) -> None:
    server.stops, server.stalls = [3000], True
    command = [sys.executable, "-m", "rnnkit", "data", "fetch", "coco2014", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--url", server.url], stdout=subprocess.PIPE, text=True
    ) as running:
        ends = time.monotonic() + 30
        while not (tmp_path / "coco_captioning.zip.part").exists() and time.monotonic() < ends:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said.endswith("interrupted; run the same command again to continue\n")
    server.stalls = False
    server.released.set()
    assert get(server, tmp_path).new


def test_the_command_tells_a_mistake_in_one_line(server: Hosted, tmp_path: Path) -> None:
    server.statuses = [404]
    ran = rnnkit("data", "fetch", "coco2014", tmp_path, "--url", server.url)
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert "answers 404 Not Found" in ran.stderr


def test_the_catalogue_has_the_files_of_the_assignment() -> None:
    assert fetching.CATALOGUE["coco2014"].url == "http://cs231n.stanford.edu/coco_captioning.zip"
    assert sorted(FILES) == [
        "coco2014_captions.h5",
        "coco2014_vocab.json",
        "train2014_images.txt",
        "train2014_urls.txt",
        "train2014_vgg16_fc7.h5",
        "train2014_vgg16_fc7_pca.h5",
        "val2014_images.txt",
        "val2014_urls.txt",
        "val2014_vgg16_fc7.h5",
        "val2014_vgg16_fc7_pca.h5",
    ]
