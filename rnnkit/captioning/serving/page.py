"""The page, and what it is made of."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Final

from starlette.responses import HTMLResponse, Response

from rnnkit.captioning.serving.answers import Json
from rnnkit.describing.report.pictures import small_copy
from rnnkit.describing.templates import templates
from rnnkit.kinds import Picture

PACKAGE: Final = "rnnkit.captioning.serving"

TYPES: Final = {".css": "text/css", ".js": "text/javascript"}
"""Of the files that the page loads."""

SIDE: Final = 960
"""Pixels of the longer side of a picture in a page."""


def parts() -> Iterator[Traversable]:
    """The files that the page loads."""
    yield resources.files("rnnkit.describing.report") / "templates" / "theme.css"
    files = (resources.files(PACKAGE) / "page").iterdir()
    yield from (file for file in files if PurePath(file.name).suffix in TYPES)


def part(name: str) -> Response | None:
    """The one of this name, if there is one."""
    for file in parts():
        if file.name == name:
            return Response(file.read_bytes(), media_type=TYPES[PurePath(name).suffix])
    return None


def show(
    about: Json, answer: Json | None = None, picture: str = "", error: str = "", status: int = 200
) -> HTMLResponse:
    """The page; after a form was sent without the help of JavaScript, with the answer to it.

    Args:
        about: what `/model` says.
        answer: what `/caption` would have said.
        picture: the data address of the photo.
        error: why there is no answer.
        status: of the response.
    """
    return HTMLResponse(rendered(about, answer, picture, error), status)


def rendered(
    about: Json,
    answer: Json | None = None,
    picture: str = "",
    error: str = "",
    *,
    server: bool = True,
) -> str:
    """The page as HTML; without a `server`, a browser without JavaScript is told that it needs some."""
    page = templates(PACKAGE, "page").get_template("index.html")
    values = {"about": about, "answer": answer, "picture": picture, "error": error}
    return page.render(server=server, **values)


def data_address(pixels: Picture) -> str:
    """A small copy of a picture, for a page."""
    copy = small_copy(pixels, SIDE)
    return f"data:{copy.type};base64,{base64.b64encode(copy.file).decode()}"
