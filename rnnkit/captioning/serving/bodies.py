"""The body of a request, read within its limits and into memory alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Final, Self

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from rnnkit.captioning.serving.forms import Form
from rnnkit.captioning.serving.limits import Room, full

AROUND: Final = 1 << 16
"""Bytes of a form besides its photo."""

HEARD_OUT: Final = 4
"""How many times too large a photo may be for its client to be heard out, so that it hears the answer."""


class Body:
    """What comes after the headers of a request; as a context it makes room again when it ends."""

    def __init__(self, request: Request, room: Room) -> None:
        self._request = request
        self._room = room
        self._held = 0
        self._read = 0
        self._more = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._room.held -= self._held

    async def whole(self) -> bytes:
        """All of it.

        Raises:
            HTTPException: it is too large (413), or there is no room for it (503).
            ClientDisconnect: it is not whole, and never will be.
        """
        return b"".join([piece async for piece in self._pieces(self._room.limits.bytes)])

    async def form(self) -> Form:
        """The fields of a form, `multipart/form-data`.

        Raises:
            HTTPException: it is too large (413), there is no room for it (503), or it is no form (400).
            ClientDisconnect: it is not whole, and never will be.
        """
        form = Form(self._request.headers["content-type"])
        async for piece in self._pieces(self._room.limits.bytes + AROUND):
            form.write(piece)
        if len(form.photo) > self._room.limits.bytes:
            raise self._too_large()
        return form.end()

    async def rest(self) -> None:
        """Hear out a client that will be refused: one that is cut off while it speaks does not hear why."""
        most = HEARD_OUT * self._room.limits.bytes
        while self._more and self._read <= most:
            await self._next()

    async def _pieces(self, most: int) -> AsyncGenerator[bytes, None]:
        declared = self._request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            self._more &= self._request.headers.get("expect", "").lower() != "100-continue"
            raise self._too_large()
        while self._more:
            piece = await self._next()
            if self._read > most:
                raise self._too_large()
            if self._room.held + len(piece) > self._room.limits.held:
                raise full("many photos are on their way")
            self._held += len(piece)
            self._room.held += len(piece)
            yield piece

    async def _next(self) -> bytes:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        self._read += len(piece)
        return piece

    def _too_large(self) -> HTTPException:
        most = self._room.limits.bytes
        return HTTPException(
            413, f"the photo has more than {most:,} bytes, which are the most; send a smaller one"
        )
