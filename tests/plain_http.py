"""Requests to servers of the tests, which speak HTTP without TLS.

`httpx.request` loads the certificate authorities anew for each call: some 30 ms of processor time,
most of what a test that polls takes.
"""

import ssl
from typing import Any

import httpx

_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def request(method: str, url: str, **parts: Any) -> httpx.Response:
    """Send a request, past the proxies of the environment."""
    return httpx.request(method, url, timeout=60, trust_env=False, verify=_NO_AUTHORITIES, **parts)
