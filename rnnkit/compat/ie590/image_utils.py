"""Pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnkit.errors import DataError

if TYPE_CHECKING:
    from rnnkit.kinds import Picture

__all__ = ["image_from_url"]


def image_from_url(url: str) -> Picture | None:
    """The pixels (h, w, 3) behind an address in the web, or of a file.

    If there are none to have, as without a network, it prints why and returns None.
    """
    from rnnkit.data.looking.pictures import load_picture

    try:
        return load_picture(str(url))
    except DataError as error:
        print("URL Error: ", error)
        return None
