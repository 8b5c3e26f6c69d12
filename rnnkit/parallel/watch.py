"""Who of a job has died or been stopped: a process of its own that all ranks are connected to, and that tells once.

A launcher ends a job when one of its processes is killed, but need not say which it was, and may wait long for a
node that went down. So the first rank starts a watcher. A rank that ends says so before; one whose connection
breaks without a word is told, with the signal that killed it where it ran beside the watcher, and the others end.

A rank that is stopped, as by SIGSTOP, is told, too, for the others wait for it and say nothing. When a job is asked to
end, such a rank is let go on, so that all end together; if it does not, the others end without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from typing import Any, Final

from rnnkit.parallel import watcher
from rnnkit.parallel.watcher import ASKED, BEAT, DONE, HERE, OVER, PATIENCE, TOLD

_ASKING: Final = {
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
}


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
        self._signals: tuple[socket.socket, ...] = ()
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
            self._heed_signals()
            if not here:
                threading.Thread(target=self._beat, name="rnnkit-beat", daemon=True).start()

    def done(self) -> None:
        """Say that this rank will end well."""
        self._say(DONE)
        if self._signals:
            signal.set_wakeup_fd(-1)
            self._signals = ()

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

    def _heed_signals(self) -> None:
        """Hear of signals by what Python writes at once: its handlers wait for MPI, which waits for the other ranks."""
        if threading.current_thread() is not threading.main_thread():
            return
        heard, written = self._signals = socket.socketpair()
        written.setblocking(False)
        signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        threading.Thread(
            target=self._heed, args=(heard,), name="rnnkit-signals", daemon=True
        ).start()

    def _heed(self, heard: socket.socket) -> None:
        while numbers := heard.recv(16):
            if not _ASKING.isdisjoint(numbers):
                self._say(ASKED)

    def _beat(self) -> None:
        while not self._told.wait(BEAT):
            self._say(HERE)


def start_watcher(ranks: int, *, one_node: bool) -> dict[str, Any] | None:
    """Start the watcher, and return where ranks find it; None if it does not start."""
    token = secrets.token_hex(16)
    order = {"token": token, "address": "127.0.0.1" if one_node else "", "ranks": ranks}
    with contextlib.suppress(OSError, ValueError):
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", watcher.__file__],
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
