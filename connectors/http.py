"""The HTTP client for Label Studio: timeouts, retries, tokens, and which hosts may see them."""

import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypedDict

import httpx

from connectors.certificates import tls_context
from connectors.errors import ConnectorError, Rejected, Unreachable
from connectors.http_errors import decoded, lacks_database, raise_for, translated
from connectors.retry import Backoff, with_retries
from connectors.tokens import TokenAuth
from connectors.transport import ProxiedTransport

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_SERVER_DOWN: Final = frozenset({429, 502, 503, 504})
"""Statuses of a server that is away or busy, and worth waiting for."""

_ATTEMPTS_AFTER_500: Final = 3
"""A few, because a lock of SQLite passes, while a bug does not."""

_BACKOFF: Final = Backoff(first=0.2, factor=2, longest=2.0)
_CONNECT_SECONDS: Final = 10.0
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Pause = Callable[[float], None]
"""Waits so many seconds; may raise to give up, for instance because a job should stop."""


class RequestOptions(TypedDict, total=False):
    """The keywords of `HttpClient.request_json`, for those who pass them on."""

    json: Any
    params: Mapping[str, Any] | None
    files: Any
    idempotent: bool | None
    timeout: float | None
    patience: float | None


class HttpClient:
    """Sends requests to one Label Studio, signed with its token. Safe for several threads.

    Idempotent requests are repeated for `patience` seconds while the server does not answer,
    answers 429, 502, 503 or 504, or its database is locked; other requests only while no connection
    can be made. Patience as long as the time limit of a request begins when its first attempt has
    failed, so that no single one uses it up. Paths are relative to `base_url`, which may have a
    path itself. `ca_bundle` has certificate authorities that are trusted besides the usual ones.

    Every method raises Unreachable, Denied, ResourceNotFound or Rejected, and no error of httpx.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        *,
        timeout: float = 60.0,
        patience: float = 0.0,
        pause: Pause | None = None,
        clock: Callable[[], float] = time.monotonic,
        ca_bundle: Path | None = None,
    ) -> None:
        self.tls = tls_context(ca_bundle)
        self._base = _parsed(base_url.rstrip("/"))
        self._base_url = str(self._base).rstrip("/")
        self._has_token = bool(api_key.strip())
        self._timeout = timeout
        self._patience = patience
        self.pause = pause or time.sleep
        self._clock = clock
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx.Client(
            cookies=no_cookies, transport=ProxiedTransport(self.tls), trust_env=False
        )
        self._auth = TokenAuth(self._base, api_key.strip(), self._exchange, clock)

    @property
    def base_url(self) -> str:
        """Without a trailing slash."""
        return self._base_url

    def auth_headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request, valid for at least half a minute.

        Send them only to addresses that this client `covers`.
        """
        with translated("POST", self._base):
            return {"Authorization": self._auth.header()} if self._has_token else {}

    def covers(self, url: str) -> bool:
        """Return whether an absolute address belongs to this Label Studio."""
        return self._auth.covers(_parsed(url))

    def url(self, url_or_path: str) -> str:
        """Return the absolute address of a path, with or without the path of `base_url` in it."""
        if "://" in url_or_path:
            return url_or_path
        path, prefix = url_or_path.lstrip("/"), self._base.path.strip("/") + "/"
        return f"{self.base_url}/{path.removeprefix(prefix)}"

    def request_json(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        files: Any = None,
        idempotent: bool | None = None,
        timeout: float | None = None,
        patience: float | None = None,
    ) -> Any:
        """Send a request and decode the JSON of the response; None if that is empty.

        `idempotent` says whether the request may be repeated when it is unknown whether it
        arrived. Defaults to True for all methods but POST.
        """
        request = self._request(method, path, timeout, json=json, params=params, files=files)
        repeatable = method in _IDEMPOTENT if idempotent is None else idempotent
        return decoded(self._send(request, repeatable, patience))

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _request(
        self, method: str, url_or_path: str, timeout: float | None, **content: Any
    ) -> httpx.Request:
        url = _parsed(self.url(url_or_path))
        try:
            return self._client.build_request(method, url, timeout=self._limits(timeout), **content)
        except (TypeError, ValueError) as exc:  # a NaN, for instance
            raise Rejected(f"the body of {method} {url.path} is not JSON: {exc}") from exc

    def _limits(self, timeout: float | None) -> httpx.Timeout:
        seconds = self._timeout if timeout is None else timeout
        return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))

    def _exchange(self, refresh_token: str) -> httpx.Response:
        url = self.url("/api/token/refresh/")
        return self._client.post(url, json={"refresh": refresh_token}, timeout=self._limits(None))

    def _send(
        self, request: httpx.Request, repeatable: bool, patience: float | None
    ) -> httpx.Response:
        patience = self._patience if patience is None else patience
        time_limit = request.extensions["timeout"]["read"]
        begun = self._clock() if patience < time_limit else None

        def wait(seconds: float) -> bool:
            nonlocal begun
            begun = self._clock() if begun is None else begun  # one attempt may take all of it
            if self._clock() + seconds > begun + patience:
                return False
            self.pause(seconds)
            return True

        return with_retries(
            lambda: self._send_once(request),
            lambda exc, attempts: _delay(exc, attempts, repeatable),
            wait,
        )

    def _send_once(self, request: httpx.Request) -> httpx.Response:
        with translated(request.method, request.url):
            response = self._client.send(
                request, auth=self._auth, follow_redirects=request.method == "GET"
            )
            raise_for(response)
            return response


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise Rejected(f"not an address: {exc}") from exc


def _delay(exc: ConnectorError, attempts: int, repeatable: bool) -> float | None:
    """Return the seconds until the next attempt, from the Retry-After header if there is one."""
    if not isinstance(exc, Unreachable) or not _may_repeat(exc, attempts, repeatable):
        return None
    if isinstance(exc.__cause__, httpx.HTTPStatusError):
        retry_after = exc.__cause__.response.headers.get("Retry-After", "")
        if retry_after.isdigit():
            return float(retry_after)
    return _BACKOFF.seconds(attempts)


def _may_repeat(exc: Unreachable, attempts: int, repeatable: bool) -> bool:
    cause = exc.__cause__
    if isinstance(cause, httpx.HTTPStatusError):
        status = cause.response.status_code
        is_away = status in _SERVER_DOWN or lacks_database(cause.response)
        return repeatable and (is_away or (status == 500 and attempts < _ATTEMPTS_AFTER_500))
    return repeatable or isinstance(cause, _NEVER_SENT)
