"""Runs the server until it is told to end."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence

import uvicorn
from starlette.types import ASGIApp

from rnnkit.captioning.serving.connections import HEADER_BYTES, Patient, PatientConfig
from rnnkit.captioning.serving.limits import Limits
from rnnkit.errors import RnnkitError


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: an address, or a name that has one.
        port: 0 for any that is free.

    Raises:
        RnnkitError: it cannot be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError, OverflowError) as error:
        raise RnnkitError(_why(error, host, port)) from error
    # Of sockets that are known to be TCP's, asyncio sends what there is at once.
    return socket.socket(bound.family, bound.type, socket.IPPROTO_TCP, bound.detach())


def _why(error: Exception, host: str, port: int) -> str:
    code = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"no address is known of the host {host!r}; name one of this machine with --host"
    if code == errno.EADDRINUSE:
        return f"port {port} is taken; name another with --port, or --port 0 for any that is free"
    if code == errno.EACCES:
        return f"port {port} is not yours to listen on; name one above 1023 with --port"
    if code == errno.EADDRNOTAVAIL:
        return f"{host!r} is no address of this machine; name one with --host, such as 127.0.0.1"
    return f"cannot listen on port {port} of {host!r}: {getattr(error, 'strerror', None) or error}"


def url_of(listening: socket.socket, host: str) -> str:
    """Where the page is; a host that stands for all addresses is on this machine, too."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
    name = everywhere.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}/"


def server_of(app: ASGIApp, limits: Limits, ready: Callable[[], None]) -> uvicorn.Server:
    """What serves until Ctrl-C, or SIGTERM, which end it at once, whoever is being answered.

    Args:
        app: of `application`.
        limits: for connections.
        ready: called when it answers.
    """
    config = PatientConfig(
        app,
        http=Patient,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=0,
    )
    config.limits = limits
    return _Server(config, ready)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        await super().startup(None if sockets is None else list(sockets))
        if self.started:
            self._ready()
