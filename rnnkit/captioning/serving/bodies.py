"""The body of a request, read within its limits and into memory alone."""

from __future__ import annotations

import io
from types import TracebackType
from typing import Final, Protocol, Self

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from rnnkit.captioning.serving.forms import Form
from rnnkit.captioning.serving.limits import Room, full

AROUND: Final = 1 << 16
"""Bytes of a form besides its photo."""

HEARD_OUT: Final = 4
"""How many times too large a photo may be for its client to be heard out, so that it hears the answer."""


class Pieces(Protocol):
    """What takes a body, piece by piece."""

    def write(self, piece: bytes, /) -> object:
        """Take the next piece."""

    def truncate(self, size: int, /) -> object:
        """Forget all but so many bytes."""


class Body:
    """What comes after the headers of a request; as a context it gives back its room when it ends."""

    def __init__(self, request: Request, room: Room) -> None:
        self._request = request
        self._room = room
        self._into: Pieces = io.BytesIO()
        self._held = 0
        self._read = 0
        self._more = True
        self._lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._room.has_come(self)
        self._forget()

    async def whole(self) -> bytes:
        """All of it.

        Raises:
            HTTPException: it is too large (413), or there is no room for it (503).
            ClientDisconnect: it is not whole, and never will be.
        """
        whole = io.BytesIO()  # one large block, which the system gets back
        await self._read_into(whole, self._room.limits.bytes)
        return whole.getvalue()

    async def form(self) -> Form:
        """The fields of a form, `multipart/form-data`.

        Raises:
            HTTPException: it is too large (413), there is no room for it (503), or it is no form (400).
            ClientDisconnect: it is not whole, and never will be.
        """
        form = Form(self._request.headers["content-type"])
        await self._read_into(form, self._room.limits.bytes + AROUND)
        form.end()
        if len(form.photo) > self._room.limits.bytes:
            raise self._too_large()
        return form

    async def rest(self) -> None:
        """Hear out a client that will be refused: one that is cut off while it speaks does not hear why."""
        most = HEARD_OUT * self._room.limits.bytes
        while self._more and self._read <= most:
            await self._next()

    def lose(self) -> None:
        """Forget what has come, for others need the room."""
        self._lost = True
        self._forget()

    async def _read_into(self, into: Pieces, most: int) -> None:
        self._into = into
        declared = self._request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            self._more &= self._request.headers.get("expect", "").lower() != "100-continue"
            raise self._too_large()
        while self._more:
            piece = await self._next()
            if self._read > most:
                raise self._too_large()
            if self._lost:
                raise full("other photos have come meanwhile")
            self._room.take(self, len(piece))
            self._held += len(piece)
            into.write(piece)
        self._room.has_come(self)

    async def _next(self) -> bytes:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        self._read += len(piece)
        return piece

    def _forget(self) -> None:
        self._into.truncate(
            0
        )  # at once, and not when Python comes to collect what refers to itself
        self._room.held -= self._held
        self._held = 0

    def _too_large(self) -> HTTPException:
        most = self._room.limits.bytes
        return HTTPException(
            413, f"the photo has more than {most:,} bytes, which are the most; send a smaller one"
        )
