"""The transport of API requests: direct, or through the proxy that the environment sets."""

import ssl
import threading

import httpx

from connectors.http_errors import PROXY
from connectors.proxies import Proxies, shown, unusable
from connectors.quick_acks import QuickTransport


class ProxiedTransport(httpx.BaseTransport):
    """Opens a connection pool for each proxy when it is first needed. Safe for several threads.

    httpx opens all of them at once, so a proxy that is never used could stop a program.
    """

    def __init__(self, context: ssl.SSLContext, proxies: Proxies | None = None) -> None:
        self._context = context
        self._proxies = proxies or Proxies()
        self._lock = threading.Lock()
        self._transports: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises Rejected for a proxy that cannot be used."""
        url = request.url
        proxy = self._proxies.of(url.scheme, url.host, url.port)
        if proxy:
            request.extensions[PROXY] = shown(proxy)
        return self._transport(proxy).handle_request(request)

    def close(self) -> None:
        with self._lock:
            for transport in self._transports.values():
                transport.close()

    def _transport(self, proxy: str) -> httpx.HTTPTransport:
        with self._lock:
            if proxy not in self._transports:
                self._transports[proxy] = self._opened(proxy)
            return self._transports[proxy]

    def _opened(self, proxy: str) -> httpx.HTTPTransport:
        try:
            return QuickTransport(self._context, proxy or None)
        except (ImportError, ValueError, httpx.InvalidURL) as exc:
            raise unusable(proxy, str(exc)) from exc
