"""A server of captions, as tests ask it: over real connections."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from rnnkit.captioning.serving import Limits, application, open_models
from rnnkit.captioning.serving.running import listen, server_of, url_of


@attrs.frozen
class Answer:
    """What came back: the status, the headers by lower-case name, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@attrs.frozen
class Place:
    """Where a server listens."""

    url: str

    @property
    def port(self) -> int:
        """Of 127.0.0.1."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        type: str = "image/png",
        method: str | None = None,
        **headers: str,
    ) -> Answer:
        """A request, and its answer, whatever its status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named["Content-Type"] = type
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}{path}", body, named, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as found:
                return _answer(found.status, found)
        except urllib.error.HTTPError as error:
            return _answer(error.code, error)

    def caption(self, photo: Path, query: str = "") -> Any:
        """What the first model says of a photo."""
        answer = self.ask(f"/caption?{query}", photo.read_bytes())
        assert answer.status == 200, answer.body
        return answer.json["captions"][0]


def _answer(status: int, found: Any) -> Answer:
    headers = {name.lower(): value for name, value in found.headers.items()}
    return Answer(status, headers, found.read())


@contextmanager
def serving(models: Sequence[Path], limits: Limits | None = None) -> Iterator[Place]:
    """A server in this process, on a port that is free."""
    limits, ready = limits or Limits(), threading.Event()
    app = application(open_models(models), limits)
    with listen("127.0.0.1", 0) as listening:
        place = Place(url_of(listening, "127.0.0.1"))
        server = server_of(app, limits, ready.set)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            assert ready.wait(30)
            yield place
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
