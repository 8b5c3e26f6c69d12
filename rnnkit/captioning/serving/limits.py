"""How much of everything is served at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

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
        held: bytes of all photos at once; beyond them those lose theirs that have been silent for longest.
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


class Holder(Protocol):
    """What holds bytes that have come, and waits for more."""

    def lose(self) -> None:
        """Forget them, and give their room back."""


class Room:
    """What of the limits is taken by the requests of the moment.

    Attributes:
        requests: photos that are captioned, or wait for it.
        held: bytes of photos.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = 0
        self.held = 0
        self._coming: dict[Holder, None] = {}  # the one that has been silent for longest is first

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

    def take(self, holder: Holder, size: int) -> None:
        """Room for more bytes; where there is none, those who have been silent for longest lose theirs.

        Raises:
            HTTPException: nobody has been silent for longer, 503.
        """
        self._coming.pop(holder, None)
        while self.held + size > self.limits.held and self._coming:
            silent = next(iter(self._coming))
            del self._coming[silent]
            silent.lose()
        if self.held + size > self.limits.held:
            raise full("many photos are on their way")
        self._coming[holder] = None
        self.held += size

    def has_come(self, holder: Holder) -> None:
        """All has come that it waits for, or nothing more will."""
        self._coming.pop(holder, None)


def full(what: str) -> HTTPException:
    """The refusal of what would be answered at a quieter time."""
    return HTTPException(503, f"{what}, and no more fit in; ask again soon", {"Retry-After": "1"})
