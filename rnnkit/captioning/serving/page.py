"""The page, and what it is made of."""

from __future__ import annotations

import base64
from importlib import resources
from typing import Final

from starlette.responses import HTMLResponse, Response

from rnnkit.captioning.serving.answers import Json
from rnnkit.describing.report.pictures import small_copy
from rnnkit.describing.templates import templates
from rnnkit.kinds import Picture

PACKAGE: Final = "rnnkit.captioning.serving"

PARTS: Final = {"page.css": "text/css", "page.js": "text/javascript"}

SIDE: Final = 960
"""Pixels of the longer side of a picture in a page."""


def part(name: str) -> Response | None:
    """A file that the page loads; None if there is none of this name."""
    if name not in PARTS:
        return None
    file = resources.files(PACKAGE) / "page" / name
    return Response(file.read_bytes(), media_type=PARTS[name])


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
    page = templates(PACKAGE, "page").get_template("index.html")
    values = {"about": about, "answer": answer, "picture": picture, "error": error}
    return HTMLResponse(page.render(values), status)


def data_address(pixels: Picture) -> str:
    """A small copy of a picture, for a page."""
    copy = small_copy(pixels, SIDE)
    return f"data:{copy.type};base64,{base64.b64encode(copy.file).decode()}"
