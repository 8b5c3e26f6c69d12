"""Pictures inside the page: small copies of local files, as data addresses."""

from __future__ import annotations

import base64
import io
import urllib.parse
from pathlib import Path
from typing import Final

import attrs

from rnnkit.data.looking.pictures import load_picture
from rnnkit.errors import DataError
from rnnkit.kinds import Picture as Pixels

SIDE: Final = 480
"""Pixels of a picture's longer side at most: twice what it is on the page, for fine screens."""

SMALL: Final = 128
"""Up to this side, pictures are drawn rather than photographed, and their pixels are kept as they are."""

ALL: Final = 3 << 20
"""Bytes of all pictures together; those that come after have their names alone."""


@attrs.frozen
class Picture:
    """A picture on the page, or where it would be.

    Attributes:
        name: its file name, or its address.
        address: in the web, if that is what is known of it.
        data: its data address; empty if it is not on the page.
        width, height: in pixels.
        small: whether its pixels should be seen as they are.
    """

    name: str
    address: str = ""
    data: str = ""
    width: int = 0
    height: int = 0
    small: bool = False


class Album:
    """Makes pictures for a page until they are large enough together. It never asks the network."""

    def __init__(self, folder: Path | None, most: int = ALL) -> None:
        """Pictures are files in the data folder's `images/`; or, without a folder, files that the user named.

        Args:
            folder: the data folder.
            most: bytes of all pictures together.
        """
        self._images = None if folder is None else folder / "images"
        self._left = most

    def picture(self, place: str | None, number: int) -> Picture:
        """The picture that a split names `place`, of the image with this number."""
        if place is None:
            return Picture(f"image {number}")
        path = Path(place)
        if self._images is None:
            return self._read(place, path)
        # Names come from a file in the data folder, and must not reach other pictures of this machine.
        if not path.is_relative_to(self._images) or ".." in path.parts:
            return Picture(place, _web_address(place))
        return self._read(str(path.relative_to(self._images)), path)

    def _read(self, name: str, path: Path) -> Picture:
        try:
            return self._embedded(name, load_picture(str(path)))
        except DataError:
            return Picture(name)

    def _embedded(self, name: str, pixels: Pixels) -> Picture:
        from PIL import Image

        image = Image.fromarray(pixels)
        small = max(image.size) <= SMALL
        image.thumbnail((SIDE, SIDE))
        made = io.BytesIO()
        # Encoded anew, so that nothing of the file comes along but what can be seen.
        if small:
            image.save(made, "PNG", optimize=True)
        else:
            image.save(made, "JPEG", quality=80, optimize=True)
        data = base64.b64encode(made.getvalue()).decode()
        if len(data) > self._left:
            return Picture(name)
        self._left -= len(data)
        kind = "png" if small else "jpeg"
        return Picture(
            name, "", f"data:image/{kind};base64,{data}", image.width, image.height, small
        )


def _web_address(place: str) -> str:
    """The place itself, if it is an address that a page may lead to."""
    try:
        parts = urllib.parse.urlsplit(place)
    except ValueError:
        return ""
    return place if parts.scheme in ("http", "https") and parts.netloc else ""
