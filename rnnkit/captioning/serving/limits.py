"""How much of everything is served at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs
from starlette.exceptions import HTTPException

from rnnkit.data.looking.pictures import LIMIT
from rnnkit.data.photos.opening import MOST_PIXELS

MOST_OF_AN_OPTION: Final = 100
"""A whole number that a request gives a decoder: so many captions of a search, for one."""


@attrs.frozen
class Limits:
    """What a server takes at most.

    Attributes:
        bytes: of a photo.
        pixels: of a photo.
        requests: photos that are captioned, or wait for it, at once.
        seconds: for a request, from its first byte to the last of the answer.
        header_seconds: of them, for what is before the photo.
        held: bytes of all photos at once.
        connections: that are open at once; beyond them the one that has been silent for longest is closed.
        headers: lines before the photo.
    """

    bytes: int = LIMIT
    pixels: int = attrs.field(default=MOST_PIXELS, init=False)
    requests: int = 64
    seconds: float = 30.0
    header_seconds: float = 10.0
    held: int = 256 << 20
    connections: int = 512
    headers: int = 100


class Room:
    """What of the limits is taken by the requests of the moment."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = 0
        self.held = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Room for one more photo to be captioned.

        Raises:
            HTTPException: there is none, 503.
        """
        if self.requests >= self.limits.requests:
            raise full(f"{self.requests} photos are waiting for their captions")
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1


def full(what: str) -> HTTPException:
    """The refusal of what would be answered at a quieter time."""
    return HTTPException(503, f"{what}, and no more fit in; ask again soon", {"Retry-After": "1"})
