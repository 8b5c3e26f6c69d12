"""A headless Chromium, of the machine's own, that loads pages and says how they look."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

CAMERA: Final = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A camera that shows a test picture, and that every page may use."""


@contextmanager
def running() -> Iterator[Browser]:
    """The browser, with nothing in its profile; skips the test if there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)}")
    with playwright.sync_playwright() as driver:
        opened: Browser = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-quic", *CAMERA]
        )
        yield opened
        opened.close()


@attrs.define
class Heard:
    """What the pages of a context complained of, and asked for.

    Attributes:
        complaints: what they wrote to the console, and errors that nothing caught.
        asked: addresses of all requests but those of files, data and blobs.
    """

    complaints: list[str] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)


def _listen(context: BrowserContext, heard: Heard) -> None:
    def said(message: ConsoleMessage) -> None:
        heard.complaints.append(f"{message.type}: {message.text}")

    def failed(error: WebError) -> None:
        heard.complaints.append(str(error.error))

    def asks(request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            heard.asked.append(request.url)

    context.on("console", said)
    context.on("weberror", failed)
    context.on("request", asks)


@attrs.frozen
class Tab:
    """One page of a browser, and what was heard of it."""

    page: Page
    heard: Heard

    def show(self, address: str, width: int = 1280, *, dark: bool = False) -> None:
        """Load an address at this width and colour scheme; what was heard before is forgotten."""
        self.heard.complaints.clear()
        self.heard.asked.clear()
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.goto(address)

    @property
    def width(self) -> int:
        """Of all there is to scroll to, in CSS pixels."""
        found: int = self.page.evaluate("document.documentElement.scrollWidth")
        return found


@contextmanager
def tab_of(chromium: Browser, *, javascript: bool = True) -> Iterator[Tab]:
    """A new tab that shares nothing with others."""
    context = chromium.new_context(java_script_enabled=javascript)
    heard = Heard()
    _listen(context, heard)
    yield Tab(context.new_page(), heard)
    context.close()


_FILE: Final = """([data, name]) => {
    const files = new DataTransfer();
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    files.items.add(new File([bytes], name));
    return files; }"""


def file_in(page: Page, photo: Path) -> Any:
    """A photo in the hands of the mouse, or on the clipboard."""
    data = base64.b64encode(photo.read_bytes()).decode()
    return page.evaluate_handle(_FILE, [data, photo.name])


def drop(page: Page, photo: Path) -> None:
    """Let a photo fall on the page, as from another window."""
    files = file_in(page, photo)
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", event, {"dataTransfer": files})
