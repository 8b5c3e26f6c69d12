"""The watcher of a job, a program: all ranks are connected to it, and it tells once who has died, and who is stopped.

It needs nothing but the standard library:

    stdin   a line {"token": what ranks must know, "address": to listen at, "ranks": R}
    stdout  the port
    stderr  what there is to tell
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 10.0
"""Seconds to connect in, and for the watcher to wait for all ranks to be there."""

DONE: Final = b"done\n"
"""A rank will end, and well."""

TOLD: Final = b"told\n"
"""A rank will end the job, and has said why; answered by the same."""

ASKED: Final = b"asked\n"
"""A rank has been asked to end, as by Ctrl-C, and will as soon as the others come to where it is."""

HERE: Final = b"here\n"
"""A rank on another node is at work; every `BEAT` seconds."""

OVER: Final = b"over\n"
"""The watcher's word to all others when a rank has died, or cannot end with them."""

BEAT: Final = 2.0

SILENCE: Final = 8.0
"""Seconds after which a rank on another node that says nothing counts as stopped."""

GRACE: Final = 5.0
"""Seconds that a stopped rank has to end with the others, once the job is asked to end."""


class _Watcher:
    """The watcher: waits until all ranks have ended, one has told, or one has died or cannot end."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._token, self._awaited = order["token"], order["ranks"]
        self._server = socket.create_server((order["address"], 0), backlog=self._awaited)
        self._known: dict[socket.socket, dict[str, Any]] = {}
        self._heard: dict[socket.socket, bytes] = {}
        self._stopped: set[socket.socket] = set()
        self._end: float | None = None  # by when a job that is asked to end must have done so
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def run(self) -> None:
        end = time.monotonic() + PATIENCE
        while self._known or (self._awaited and time.monotonic() < end):
            for key, _ in self._selector.select(1.0):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if one is self._server:
                    self._accept()
                elif not self._hear(one):
                    return
            if not self._look():
                return

    def _look(self) -> bool:
        """Tell who is stopped, or goes on; whether to go on."""
        stopped = {one for one, rank in self._known.items() if _is_stopped(rank)}
        if stopped != {*self._known}:  # a job that is stopped as a whole is meant to be
            for one in stopped - self._stopped:
                _tell(
                    f"{self._known[one]['called']} {_state(self._known[one])}, and the others wait for it; "
                    "end the job with Ctrl-C or SIGTERM"
                )
            for one in (self._stopped & {*self._known}) - stopped:
                _tell(f"{self._known[one]['called']} goes on")
            self._stopped = stopped
        if self._end is None or not stopped:
            return True
        if time.monotonic() > self._end:
            names = ", ".join(self._known[one]["called"] for one in stopped)
            _tell(f"{names}: stopped, so that the job cannot be saved together. {_LOST}")
            self._tell_others()
            return False
        for one in stopped:
            _signal(self._known[one], signal.SIGCONT)
        return True

    def _accept(self) -> None:
        one, _ = self._server.accept()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, seconds in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):  # a node that went down says nothing for hours, unless asked
                one.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
        self._heard[one] = b""
        self._selector.register(one, selectors.EVENT_READ)

    def _hear(self, one: socket.socket) -> bool:
        """Take what a rank says; whether to go on."""
        try:
            said = one.recv(4096)
        except OSError:
            said = b""
        if not said:
            return self._lost(one)
        *words, self._heard[one] = (self._heard[one] + said).split(b"\n")
        for word in words:
            if one not in self._known:
                hello = json.loads(word)
                if hello["token"] != self._token:
                    return self._leave(one)
                self._known[one] = hello | {"heard": time.monotonic()}
                self._awaited -= 1
            elif word + b"\n" == HERE:
                self._known[one]["heard"] = time.monotonic()
            elif word + b"\n" == ASKED:
                self._end = self._end or time.monotonic() + GRACE
            elif word + b"\n" == DONE:
                return self._leave(one)
            elif word + b"\n" == TOLD:
                one.sendall(TOLD)
                return False
        return True

    def _lost(self, one: socket.socket) -> bool:
        rank = self._known.get(one)
        self._leave(one)
        if rank is None:
            return True
        _tell(f"{rank['called']} {_fate(rank)}. {_LOST}")
        self._tell_others()
        return False

    def _tell_others(self) -> None:
        """Have all ranks end; those that are stopped cannot hear it."""
        for other, rank in self._known.items():
            with contextlib.suppress(OSError):
                other.sendall(OVER)
            if other in self._stopped:
                _signal(rank, signal.SIGKILL)

    def _leave(self, one: socket.socket) -> bool:
        self._selector.unregister(one)
        self._known.pop(one, None)
        one.close()
        return True


_LOST: Final = "The job ends; to continue training from its last checkpoint, use --resume RUN"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _signal(rank: dict[str, Any], number: int) -> None:
    """Send a signal to a rank of this node."""
    if rank["here"]:
        with contextlib.suppress(OSError):
            os.kill(rank["process"], number)


def _is_stopped(rank: dict[str, Any]) -> bool:
    """Whether a rank does nothing until it is continued; on another node, whether it is silent."""
    if not rank["here"]:
        return bool(time.monotonic() - rank["heard"] > SILENCE)
    try:
        stat = Path(f"/proc/{rank['process']}/stat").read_text("ascii", "replace")
    except OSError:  # not Linux, or it has ended
        return False
    return stat.rpartition(")")[2].split()[0] in "Tt"


def _state(rank: dict[str, Any]) -> str:
    if rank["here"]:
        return f"is stopped (kill -CONT {rank['process']} lets it go on)"
    return f"has said nothing for {SILENCE:.0f} s: it is stopped, or its node or the network is"


def _fate(rank: dict[str, Any]) -> str:
    """What became of a rank; with the signal that killed it, while the system of this node still knows it."""
    if not rank["here"]:
        return "has died, or its node went down"
    number = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        number = int(Path(f"/proc/{rank['process']}/stat").read_text("ascii").split()[-1]) & 0x7F
    if not number:
        return "has died"
    hint = ", perhaps because memory ran out" if number == signal.SIGKILL else ""
    return f"has died, killed by {signal.Signals(number).name}{hint}"


if __name__ == "__main__":
    watcher = _Watcher(json.loads(sys.stdin.readline()))
    print(watcher.port, flush=True)
    sys.stdout.close()
    watcher.run()
