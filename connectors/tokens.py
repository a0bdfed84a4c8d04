"""Authenticate at Label Studio with a legacy or a personal access token."""

import base64
import json
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, cast

import httpx

from connectors.errors import Denied, Unreachable
from connectors.http_errors import HINT_ON_DENIAL, decoded

_MARGIN = 30.0
"""Seconds before its expiry at which an access token is replaced."""

Exchange = Callable[[str], httpx.Response]
"""Sends a refresh token to `/api/token/refresh/` and returns the response."""


class TokenAuth(httpx.Auth):
    """Signs requests to one Label Studio, and no others. Safe for several threads.

    A legacy token (40 hex digits) is sent as it is. A personal access token is a JWT refresh token:
    it is exchanged for access tokens of 300 s, which are replaced before they expire, and once more
    when one is refused.
    """

    def __init__(
        self,
        base_url: httpx.URL,
        api_key: str,
        exchange: Exchange,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._exchange = exchange
        self._clock = clock
        self._lock = threading.Lock()
        self._access = ""
        self._ends = 0.0

    def covers(self, url: httpx.URL) -> bool:
        """Return whether an address has the origin of this Label Studio and is below its path."""
        prefix = self._base_url.path.rstrip("/") + "/"
        return _origin(url) == _origin(self._base_url) and (url.path + "/").startswith(prefix)

    def header(self) -> str:
        """Return the value of `Authorization` right now."""
        return f"Bearer {self._bearer()}" if self._renewable else f"Token {self._api_key}"

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        if not self._api_key or not self.covers(request.url):
            yield request
            return
        sent = self.header()
        request.headers["Authorization"] = sent
        response = yield request
        if response.status_code == 401 and self._renewable:
            fresh = self._bearer(refused=sent.removeprefix("Bearer "))
            request.headers["Authorization"] = f"Bearer {fresh}"
            yield request

    @property
    def _renewable(self) -> bool:
        return self._api_key.count(".") == 2

    def _bearer(self, refused: str = "") -> str:
        with self._lock:
            if self._access in {"", refused} or self._clock() >= self._ends:
                self._access = _access_token(self._exchange(self._api_key))
                self._ends = self._clock() + _lifetime(self._access) - _MARGIN
            return self._access


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port or default


def _access_token(response: httpx.Response) -> str:
    if response.status_code in (400, 401, 403):
        raise Denied("Label Studio refused the personal access token", HINT_ON_DENIAL)
    response.raise_for_status()
    match decoded(response):
        case {"access": str(token)}:
            return token
        case _:
            raise Unreachable("the response to a token refresh has no access token")


def _lifetime(jwt: str) -> float:
    """Return the seconds from issue to expiry, both from the token: clocks need not agree."""
    try:
        payload = json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "=="))
        claims = cast("dict[str, Any]", payload)
        return float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return 300.0
