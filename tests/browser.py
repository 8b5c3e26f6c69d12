"""A headless Chromium that loads a page and says how it looks, over the DevTools protocol on a pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

NAMES = ("chromium", "chromium-browser", "google-chrome")

_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, which reads from the descriptor 3 and writes to 4."""


def installed() -> str | None:
    """The program, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@attrs.frozen
class Seen:
    """A page as the browser showed it.

    Attributes:
        complaints: what it wrote to its console, and requests that it made or refused to make.
        width: of all there is to scroll to, in CSS pixels.
        background: colour of the page.
    """

    complaints: list[str]
    width: int
    background: str


class Browser:
    """One tab of a running browser."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._number = 0
        self._rest = b""
        self._events: list[dict[str, Any]] = []
        self._session = ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def show(self, file: Path, width: int, *, dark: bool, shot: Path | None = None) -> Seen:
        """Load a file at this width and colour scheme, and take a picture of all of it if wanted."""
        self._events = []
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        self._ask("Page.navigate", url=file.as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self._events):
            self._take()
        seen = Seen(
            complaints=[],
            width=self.value("document.documentElement.scrollWidth"),
            background=self.value("getComputedStyle(document.body).backgroundColor"),
        )
        if shot is not None:
            data = self._ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
            shot.write_bytes(base64.b64decode(data))
        seen.complaints.extend(filter(None, map(_complaint, self._events)))
        return seen

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is in the page."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def _ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._take()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _take(self) -> dict[str, Any]:
        """The next message; events are kept."""
        while b"\0" not in self._rest:
            piece = os.read(self._read, 1 << 16)
            assert piece, "the browser has gone"
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._events.append(message)
        return message


def _complaint(event: dict[str, Any]) -> str:
    params = event["params"]
    if event["method"] == "Network.requestWillBeSent":
        url: str = params["request"]["url"]
        return "" if url.startswith(("file:", "data:")) else f"asks for {url}"
    if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
        return json.dumps(params)
    return ""


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Browser]:
    """Start the browser with an empty profile, and end it."""
    to_browser, from_browser = os.pipe(), os.pipe()
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    ]
    ends = to_browser[0], from_browser[1]
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", _START, *map(str, ends), program, *options],
        pass_fds=ends,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Browser(to_browser[1], from_browser[0])
    finally:
        os.close(to_browser[1])
        os.close(from_browser[0])
        process.terminate()
        process.wait()
