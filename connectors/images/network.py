"""Connections for fetching images: closed to cloud metadata, and limited in time.

Anyone who can write a task chooses the addresses of its images, so they must not make this machine
read what only it can read (server-side request forgery). Link-local addresses (169.254.0.0/16,
fe80::/10) and the other addresses at which clouds serve credentials are refused, whatever name or
redirect leads there. Private networks and localhost stay open, because image servers run there.

The check applies to the IP address that is connected to, so a name that resolves differently the
second time (DNS rebinding) does not get around it.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import httpcore

from connectors.errors import FetchFailed, Rejected
from connectors.proxies import Proxies, unusable
from connectors.quick_acks import QuickAcks
from connectors.streams import WrappedStream

_METADATA: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # AWS, Azure, Google Cloud, Oracle, DigitalOcean
        "fe80::/10",
        "fd00:ec2::/32",  # AWS over IPv6
        "fd20:ce::/32",  # Google Cloud over IPv6
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure's wire server
    )
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Deadline:
    """The end of a fetch: after `seconds`, or as soon as `cancelled` is set."""

    def __init__(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        self._ends = time.monotonic() + seconds
        self._cancelled = cancelled or threading.Event()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def left(self) -> float:
        """Return seconds left; 0 when the time is over or the fetch was cancelled."""
        return 0.0 if self.is_cancelled else max(0.0, self._ends - time.monotonic())

    def pause(self, seconds: float) -> bool:
        """Wait so many seconds; return False at once if less time is left, or when cancelled."""
        return seconds < self.left() and not self._cancelled.wait(seconds)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(deadline: Deadline) -> Generator[None, None, None]:
    """Limit all network waits of this thread in the block by the deadline."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


class Connections:
    """Connection pools, direct or through the proxy that the environment sets.

    With a proxy (`HTTPS_PROXY`, `NO_PROXY`) the proxy resolves names, and must refuse metadata
    addresses itself. Safe for several threads.
    """

    def __init__(self, size: int, tls: ssl.SSLContext) -> None:
        self._size = size
        self._tls = tls
        self._proxies = Proxies()
        self._lock = threading.Lock()
        self._pools: dict[str, httpcore.ConnectionPool] = {}

    def proxy(self, scheme: str, host: str, port: int | None = None) -> str:
        """Return the URL of the proxy to a host, "" for a direct connection.

        Raises:
            FetchFailed: when it cannot be used.
        """
        try:
            return self._proxies.of(scheme, host, port)
        except Rejected as exc:
            raise FetchFailed(exc.message, exc.hint) from exc

    def to(self, scheme: str, host: str, port: int | None = None) -> httpcore.ConnectionPool:
        """Return the pool for a host. Raises FetchFailed for a proxy that cannot be used."""
        proxy = self.proxy(scheme, host, port)
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = self._pool(proxy)
            return self._pools[proxy]

    def close(self) -> None:
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _pool(self, proxy: str) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=self._tls,
            proxy=_proxy(proxy) if proxy else None,
            max_connections=self._size,
            max_keepalive_connections=self._size,
            keepalive_expiry=5.0,
            network_backend=_Fenced(),
        )


def _proxy(url: str) -> httpcore.Proxy:
    """Return the proxy with its user and password, if the URL has them."""
    parts = urlsplit(url)
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        exc = unusable(url, "socksio is not installed")
        raise FetchFailed(exc.message, exc.hint)
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return httpcore.Proxy(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), auth)


def is_metadata(address: str) -> bool:
    """Return whether clouds serve credentials at this IP address, in whatever spelling."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip)
    return any(ip in network for network in _METADATA)


class _Fenced(httpcore.NetworkBackend):
    """Resolves names, refuses metadata addresses, and connects to the address it checked."""

    def __init__(self) -> None:
        self._backend = QuickAcks()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        for ip in _resolved(host, port):
            try:
                stream = self._backend.connect_tcp(
                    ip, port, _time_left(timeout), local_address, socket_options
                )
                return _Timed(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                last = exc
        raise last


def _resolved(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host, without duplicates.

    Raises:
        FetchFailed: when one of them is a metadata address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host} has no address") from exc
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if any(is_metadata(address) for address in addresses):
        raise FetchFailed(
            f"{host} is an address where clouds serve credentials, not files",
            "Files are never fetched from link-local or cloud metadata addresses",
        )
    return addresses


class _Timed(WrappedStream):
    """A stream on which no wait exceeds the deadline of the current fetch."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return super().read(max_bytes, _time_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        super().write(buffer, _time_left(timeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Self:
        return super().start_tls(ssl_context, server_hostname, _time_left(timeout))


def _time_left(timeout: float | None) -> float | None:
    deadline = _current.get()
    if deadline is None:
        return timeout
    left = deadline.left()
    if not left:
        raise httpcore.ReadTimeout("the time for this fetch is over")
    return left if timeout is None else min(timeout, left)
