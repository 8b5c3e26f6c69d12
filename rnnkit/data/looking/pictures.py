"""Pictures from files and from the web, fetched with care."""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import attrs

from rnnkit.data.photos.opening import open_photo
from rnnkit.errors import DataError
from rnnkit.kinds import Picture
from rnnkit.system.version import __version__

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

TIMEOUT = 10.0
"""Seconds for a picture, redirects included."""

LIMIT = 20 * 2**20
"""Bytes of a picture file."""

_REDIRECTS = 5
_MOVED = (301, 302, 303, 307, 308)
_PIECE = 1 << 16
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch_image(
    url: str, timeout: float = TIMEOUT, limit: int = LIMIT, allow_private: bool = False
) -> bytes:
    """Get a picture from the web, by an address that need not be trusted.

    Only http and https; only from hosts all of whose addresses are public, and by a connection to one of the very
    addresses that were checked, so that a name cannot mean another host a moment later; the same again for each
    of at most five redirects. Proxies of the environment are not used.

    Args:
        url: of the picture.
        timeout: seconds for everything but the look-up of names, which the system limits.
        limit: bytes at most.
        allow_private: let private, loopback and link-local addresses pass.

    Returns:
        The picture file.

    Raises:
        DataError: the address is refused, or there is no picture to be had within the limits.
    """
    deadline = time.monotonic() + timeout
    here = url
    try:
        for _ in range(_REDIRECTS + 1):
            answer = _get(_parse(here), deadline, limit, allow_private)
            if isinstance(answer, bytes):
                return answer
            here = urllib.parse.urljoin(here, answer.location)
    except TimeoutError as error:
        raise DataError(f"{url} took longer than {timeout:g} seconds") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{url} cannot be fetched: {reason}") from error
    raise DataError(f"{url} is redirected more than {_REDIRECTS} times")


def load_picture(place: str) -> Picture:
    """The pixels (height, width, 3) of a picture, by its path or its address in the web.

    Raises:
        DataError: it cannot be had.
    """
    if "://" in place:
        return open_photo(fetch_image(place), place)
    try:
        with Path(place).open("rb") as file:
            data = file.read(LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{place} cannot be read: {reason}") from error
    if len(data) > LIMIT:
        raise DataError(f"{place} has more than {LIMIT:,} bytes")
    return open_photo(data, place)


@attrs.frozen
class _Moved:
    location: str


@attrs.frozen
class _Url:
    """An address taken apart: the parts a request is made of."""

    whole: str
    secure: bool
    host: str
    port: int
    target: str


def _parse(url: str) -> _Url:
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DataError(f"{url!r} is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise DataError(
            f"{url!r} is refused: pictures come from addresses that begin with http:// or https://"
        )
    secure = parts.scheme == "https"
    path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    return _Url(
        whole=url,
        secure=secure,
        host=host.encode("idna").decode(),
        port=port or (443 if secure else 80),
        target=f"{path}?{query}" if query else path,
    )


def _get(url: _Url, deadline: float, limit: int, allow_private: bool) -> bytes | _Moved:
    """Ask once: the picture, or where it has moved."""
    addresses = _resolve(url, allow_private)
    with _connect(url, addresses, deadline) as connection:
        connection.settimeout(_left(deadline))
        request = http.client.HTTPConnection(url.host, url.port)
        request.sock = connection
        host = f"[{url.host}]" if ":" in url.host else url.host
        usual = url.port == (443 if url.secure else 80)
        request.request(
            "GET",
            url.target,
            headers={
                "Host": host if usual else f"{host}:{url.port}",
                "User-Agent": f"rnnkit/{__version__}",
                "Accept": "image/*",
                "Connection": "close",
            },
        )
        with _Response(connection, deadline) as response:
            response.begin()
            location = response.headers.get("Location")
            if response.status in _MOVED and location:
                return _Moved(location)
            return _read_image(url, response, limit)


def _read_image(url: _Url, response: http.client.HTTPResponse, limit: int) -> bytes:
    if response.status != 200:
        raise DataError(f"{url.whole} cannot be fetched: {response.status} {response.reason}")
    kind = response.headers.get_content_type()
    if not kind.startswith("image/"):
        raise DataError(f"{url.whole} is not an image, but {kind}")
    data = bytearray()
    too_large = (response.length or 0) > limit
    while not too_large and (piece := response.read(_PIECE)):
        data += piece
        too_large = len(data) > limit
    if too_large:
        raise DataError(f"{url.whole} has more than {limit:,} bytes")
    if response.length:
        raise DataError(f"{url.whole} was cut short, {response.length:,} bytes before its end")
    return bytes(data)


def _resolve(url: _Url, allow_private: bool) -> list[Address]:
    """The addresses of a host, all of them checked."""
    found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0])) for entry in found]
    for address in addresses:
        if not allow_private and not _is_public(address):
            raise DataError(
                f"{url.whole} is refused: {url.host} has the address {address}, which is not public"
            )
    return addresses


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # IPv4 in disguise is judged as IPv4; the other disguises lead through relays nobody knows.
        if address.sixtofour or address.teredo or address.is_site_local or address.scope_id:
            return False
        if address.ipv4_mapped:
            return _is_public(address.ipv4_mapped)
        if address in _NAT64:
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast and not address.is_reserved


def _connect(url: _Url, addresses: list[Address], deadline: float) -> socket.socket:
    """A connection to the first of these addresses that takes one."""
    failure: OSError = OSError("the host has no address")
    for address in addresses:
        try:
            plain = socket.create_connection((str(address), url.port), _left(deadline))
        except OSError as error:
            failure = error
            continue
        if not url.secure:
            return plain
        try:
            plain.settimeout(_left(deadline))
            return ssl.create_default_context().wrap_socket(plain, server_hostname=url.host)
        except BaseException:
            plain.close()
            raise
    raise failure


def _left(deadline: float) -> float:
    """Seconds until the deadline; TimeoutError if it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Response(http.client.HTTPResponse):
    """A response that must be read whole by a deadline, however slowly its bytes trickle."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__(connection, method="GET")
        self.fp.close()
        self.fp = io.BufferedReader(_UntilDeadline(connection, deadline))


class _UntilDeadline(io.RawIOBase):
    """The bytes of a connection, as long as there is time."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv_into(buffer)
