"""Connections that wait for nobody: one that is too slow is closed, so that others are served."""

from __future__ import annotations

import asyncio
from typing import Final, Literal, TypeAlias

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from rnnkit.captioning.serving.limits import Limits

HEADER_BYTES: Final = 1 << 14

GRACE: Final = 5.0
"""Seconds beyond those of a request, after which its connection is closed whatever happens to it."""

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

Phase: TypeAlias = Literal["asking", "answering", "idle"]


class PatientConfig(Config):
    """What a server is told, with the limits that its connections keep."""

    limits: Limits


class Patient(H11Protocol):
    """HTTP/1.1, with a time for each phase of a connection.

    uvicorn has one for connections that are idle, and none for headers and bodies that come byte by byte, nor for
    answers that nobody takes.
    """

    config: PatientConfig
    _phase: Phase
    _since: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._enter("asking")
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            if self._phase != "answering":
                self._enter("answering")
        elif self._phase == "idle":
            self._enter("asking")

    def on_response_complete(self) -> None:
        self._enter("idle")
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before:  # the next request was there already
            self._enter("answering")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _enter(self, phase: Phase) -> None:
        limits, now = self.config.limits, self.loop.time()
        seconds = {
            "asking": limits.header_seconds,
            "answering": limits.seconds + GRACE,
            "idle": self.timeout_keep_alive + GRACE,
        }
        if self._timer is not None:
            self._timer.cancel()
        self._phase, self._since = phase, now
        self._timer = self.loop.call_later(seconds[phase], self._give_up)

    def _give_up(self) -> None:
        if self._phase == "asking" and not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        """Close the connection that has kept others waiting for longest, or this one if all are being answered."""
        if len(self.connections) <= self.config.limits.connections:
            return
        ours = [c for c in self.connections if isinstance(c, Patient)]
        there = [c for c in ours if not c.transport.is_closing()]
        if len(there) > self.config.limits.connections:
            waiting = [c for c in there if c._is_waited_for()]
            min(waiting, key=lambda c: c._since, default=self).transport.abort()

    def _is_waited_for(self) -> bool:
        """Whether it is its client's turn."""
        return self._phase != "answering" or self.conn.their_state is h11.SEND_BODY
