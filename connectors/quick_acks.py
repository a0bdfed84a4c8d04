"""Acknowledge at once what a server sends, so that it goes on without waiting.

Label Studio's own server sends status line, headers and body one by one. After the first it waits
until that is acknowledged (Nagle's algorithm, RFC 896), which TCP may delay (RFC 1122, 4.2.3.2);
Linux waits 40 ms. Without, a small request took 25 ms in place of 68.
"""

import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import httpcore
import httpx

from connectors.streams import WrappedStream

_OPTION: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it; elsewhere streams stay as they are."""


class QuickAcks(httpcore.NetworkBackend):
    """Opens connections that acknowledge at once."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Acknowledging(
            self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        )


class QuickTransport(httpx.HTTPTransport):
    """As its base, on connections that acknowledge at once.

    httpx has no argument for this.
    """

    def __init__(self, context: ssl.SSLContext, proxy: str | None = None) -> None:
        super().__init__(verify=context, proxy=proxy)
        self._pool._network_backend = QuickAcks()  # pyright: ignore[reportPrivateUsage]


class _Acknowledging(WrappedStream):
    """Asks for it before each read, since Linux soon returns to delays by itself."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if _OPTION is not None:
            with suppress(OSError):  # a broken connection: reading tells
                self.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _OPTION, 1)
        return super().read(max_bytes, timeout)
