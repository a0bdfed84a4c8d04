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


class _Acknowledging(httpcore.NetworkStream):
    """Asks for it before each read, since Linux soon returns to delays by itself."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if _OPTION is not None:
            with suppress(OSError):  # a broken connection: reading tells
                self._stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _OPTION, 1)
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Acknowledging(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
