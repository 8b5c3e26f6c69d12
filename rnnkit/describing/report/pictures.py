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
        self._folder = folder
        self._left = most

    def picture(self, place: str | None, number: int) -> Picture:
        """The picture that a split names `place`, of the image with this number."""
        if place is None:
            return Picture(f"image {number}")
        path = Path(place)
        if self._folder is None:
            return self._read(place, path)
        if not is_in_folder(place, self._folder):
            return Picture(place, _web_address(place))
        return self._read(str(path.relative_to(self._folder / "images")), path)

    def _read(self, name: str, path: Path) -> Picture:
        try:
            return self._embedded(name, load_picture(str(path)))
        except DataError:
            return Picture(name)

    def _embedded(self, name: str, pixels: Pixels) -> Picture:
        copy = small_copy(pixels, SIDE)
        data = base64.b64encode(copy.file).decode()
        if len(data) > self._left:
            return Picture(name)
        self._left -= len(data)
        address = f"data:{copy.type};base64,{data}"
        return Picture(name, "", address, copy.width, copy.height, copy.small)


@attrs.frozen
class Copy:
    """A picture file that was made of pixels alone, so that nothing else of another file comes along.

    Attributes:
        file: its bytes.
        type: such as `image/png`.
        width, height: in pixels.
        small: whether its pixels should be seen as they are.
    """

    file: bytes
    type: str
    width: int
    height: int
    small: bool


def small_copy(pixels: Pixels, side: int) -> Copy:
    """A picture whose longer side is at most so long."""
    from PIL import Image

    image = Image.fromarray(pixels)
    small = max(image.size) <= SMALL
    image.thumbnail((side, side))
    made = io.BytesIO()
    if small:
        image.save(made, "PNG", optimize=True)
    else:
        image.save(made, "JPEG", quality=80, optimize=True)
    kind = "png" if small else "jpeg"
    return Copy(made.getvalue(), f"image/{kind}", image.width, image.height, small)


def is_in_folder(place: str, folder: Path) -> bool:
    """Whether a picture that a split names is a file of its data folder.

    Names come from a file in that folder, and must not reach other pictures of this machine.
    """
    path = Path(place)
    return path.is_relative_to(folder / "images") and ".." not in path.parts


def _web_address(place: str) -> str:
    """The place itself, if it is an address that a page may lead to."""
    try:
        parts = urllib.parse.urlsplit(place)
    except ValueError:
        return ""
    return place if parts.scheme in ("http", "https") and parts.netloc else ""
