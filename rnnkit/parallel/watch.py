"""Who of a job has died: a process of its own that all ranks are connected to, and that tells once.

A launcher ends a job when one of its processes is killed, but need not say which it was, and may wait long for a
node that went down. So the first rank starts a watcher. A rank that ends says so before; one whose connection
breaks without a word is told, with the signal that killed it where it ran beside the watcher, and the others end.

This file is both ends; run as a program, it is the watcher, and needs nothing but the standard library:

    stdin   a line {"token": what ranks must know, "address": to listen at, "ranks": R}
    stdout  the port
    stderr  what there is to tell
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 10.0
"""Seconds to connect in, and for the watcher to wait for all ranks to be there."""

DONE: Final = b"done\n"
"""A rank will end, and well."""

TOLD: Final = b"told\n"
"""A rank will end the job, and has said why; answered by the same."""

OVER: Final = b"over\n"
"""The watcher's word to all others when a rank has died."""


class Watched:
    """A rank's connection to the watcher.

    Where it cannot be had, as behind a firewall between nodes, the job goes on without.
    """

    def __init__(self, called: str, address: Any, *, here: bool) -> None:
        """Connect.

        Args:
            called: what to call this rank when it has died.
            address: of the watcher, from `start_watcher`; None if there is none.
            here: whether it is on this node.
        """
        self._socket: socket.socket | None = None
        if address is None:
            return
        hello = {"token": address["token"], "called": called, "process": os.getpid(), "here": here}
        host = "127.0.0.1" if here else address["host"]
        with contextlib.suppress(OSError):
            self._socket = socket.create_connection((host, address["port"]), PATIENCE)
            self._socket.settimeout(None)
            self._socket.sendall(json.dumps(hello).encode() + b"\n")
            self._told = threading.Event()
            threading.Thread(target=self._listen, name="rnnkit-watch", daemon=True).start()

    def done(self) -> None:
        """Say that this rank will end well."""
        self._say(DONE)

    def told(self) -> None:
        """Say that this rank ends the job and has told why; the watcher has heard it when this returns."""
        self._say(TOLD)
        if self._socket is not None:
            self._told.wait(1.0)

    def _say(self, word: bytes) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendall(word)

    def _listen(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError), self._socket.makefile("rb") as words:
            for word in words:
                if word == OVER:
                    os._exit(1)
                self._told.set()


def start_watcher(ranks: int, *, one_node: bool) -> dict[str, Any] | None:
    """Start the watcher, and return where ranks find it; None if it does not start."""
    token = secrets.token_hex(16)
    order = {"token": token, "address": "127.0.0.1" if one_node else "", "ranks": ranks}
    with contextlib.suppress(OSError, ValueError):
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # what ends the rank must not end it
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            port = int(process.stdout.readline())
        process.returncode = 0  # it outlives this process, so nobody waits for it
        return {"token": token, "host": socket.gethostname(), "port": port}
    return None


class _Watcher:
    """The watcher: waits until all ranks have ended, one has told, or one has died."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._token, self._awaited = order["token"], order["ranks"]
        self._server = socket.create_server((order["address"], 0), backlog=self._awaited)
        self._known: dict[socket.socket, dict[str, Any]] = {}
        self._heard: dict[socket.socket, bytes] = {}
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
                self._known[one] = hello
                self._awaited -= 1
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
        print(
            f"{rank['called']} {_fate(rank)}. The job ends; to continue training from its last checkpoint, "
            "use --resume RUN",
            file=sys.stderr,
            flush=True,
        )
        for other in self._known:
            with contextlib.suppress(OSError):
                other.sendall(OVER)
        return False

    def _leave(self, one: socket.socket) -> bool:
        self._selector.unregister(one)
        self._known.pop(one, None)
        one.close()
        return True


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
