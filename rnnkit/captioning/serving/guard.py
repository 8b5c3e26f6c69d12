"""What every request passes, and every answer: who may ask, how long it may take, what browsers may do with it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rnnkit.captioning.serving.limits import Limits

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Of every answer, unless it says otherwise itself."""


class Guard:
    """The application, for its own pages and for programs: not for pages of other hosts in the same browser."""

    def __init__(self, app: ASGIApp, limits: Limits, hosts: Collection[str]) -> None:
        """`hosts` are names and addresses, without a port; an address that is listened on is one, too."""
        self.app = app
        self.limits = limits
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refusal(scope)
        if refused is not None:
            await _error(*refused)(scope, receive, guarded)
            return
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self.app(scope, receive, guarded)
        except TimeoutError:
            if started:
                raise  # the connection is closed: what has been sent is not whole
            text = f"the request took longer than {self.limits.seconds:g} seconds; ask again"
            await _error(408, text)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if len(headers.raw) > self.limits.headers:
            return 431, f"the request has more than {self.limits.headers} header lines"
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_own(host, scope):
            return 421, f"this server is not {host[:100]!r}"
        foreign = origin is not None and origin.lower() != f"{scope['scheme']}://{host.lower()}"
        site = headers.get("sec-fetch-site", "none")
        if foreign or (scope["method"] == "POST" and site not in ("none", "same-origin")):
            return 403, "a page of another origin may not ask this server"
        return None

    def _is_own(self, host: str, scope: Scope) -> bool:
        address, port = scope.get("server") or ("", None)
        name, given = _taken_apart(host.lower())
        usual = 443 if scope["scheme"] == "https" else 80
        return (name in self.hosts or name == address) and (given or usual) == port


def _taken_apart(host: str) -> tuple[str, int | None]:
    """The name, without brackets, and the port; an empty name for what is no host."""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        name, port = host, ""
    if port and not (port.isascii() and port.isdecimal() and len(port) < 6):
        return "", None
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    elif ":" in name:
        return "", None
    return name, int(port) if port else None


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)
