"""One HTTP client: timeouts, bounded patience, host rules, tokens that stay fresh."""

import random
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Final, Self

import httpx

from connectors.errors import Rejected, Unreachable
from connectors.http_errors import decoded, raise_for, translated
from connectors.tokens import TokenAuth

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_SERVER_DOWN: Final = frozenset({429, 502, 503, 504})
"""Statuses of a server that is away or busy, and worth waiting for."""

_TRANSIENT = 3
"""How often a 500 is tried: SQLite's "database is locked" passes, a bug does not."""

_LONGEST_PAUSE = 2.0
_CONNECT_SECONDS = 10.0
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Pause = Callable[[float], None]
"""Waits so many seconds; may raise to give up, for instance because a job should stop."""


class HttpClient:
    """Talks to one Label Studio, and reads from other hosts without telling them our token.

    A call that may safely be repeated is repeated for `patience` seconds while the server does
    not answer or answers 429, 502, 503 or 504; other calls only while no connection can be made.
    Paths count from `base_url`, which may itself have a path. Safe for several threads.

    Every method raises Unreachable, Denied, NotFound or Rejected, and nothing of httpx.
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
    ) -> None:
        self._base = _parsed(base_url.rstrip("/"))
        self._has_token = bool(api_key.strip())
        self._timeout = timeout
        self._patience = patience
        self.pause = pause or time.sleep
        self._clock = clock
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx.Client(cookies=no_cookies)
        self._auth = TokenAuth(self._base, api_key.strip(), self._exchange, clock)

    @property
    def base_url(self) -> str:
        """Without a trailing slash."""
        return str(self._base).rstrip("/")

    def auth_headers(self) -> dict[str, str]:
        """What signs a request to this Label Studio, valid for half a minute at least.

        Send it only to addresses that this client `covers`.
        """
        with translated("POST", self._base):
            return {"Authorization": self._auth.header()} if self._has_token else {}

    def covers(self, url: str) -> bool:
        """Whether an absolute address belongs to this Label Studio."""
        return self._auth.covers(_parsed(url))

    def url(self, url_or_path: str) -> str:
        """An absolute address. A path counts from `base_url`, whose own path it may repeat."""
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
        """The decoded JSON answer, None where the answer is empty.

        `idempotent` says whether the call may be repeated when nobody knows if it arrived; by
        default all but POST.
        """
        request = self._request(method, path, timeout, json=json, params=params, files=files)
        again = method in _IDEMPOTENT if idempotent is None else idempotent
        return decoded(self._send(request, again=again, patience=patience))

    def get(
        self, url_or_path: str, *, timeout: float | None = None, patience: float | None = None
    ) -> httpx.Response:
        """A whole answer in memory; for small things."""
        request = self._request("GET", url_or_path, timeout)
        return self._send(request, again=True, patience=patience)

    @contextmanager
    def stream(
        self,
        url_or_path: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        patience: float | None = None,
        redirects: bool = True,
    ) -> Generator[httpx.Response, None, None]:
        """An answer whose body the caller reads, for instance with `response.iter_bytes()`.

        A connection that breaks meanwhile raises Unreachable. `redirects=False` hands a redirect
        to the caller, who may want to judge its target first.
        """
        request = self._request("GET", url_or_path, timeout, headers=headers)
        response = self._send(
            request, again=True, patience=patience, streamed=True, redirects=redirects
        )
        try:
            with translated("GET", request.url):
                yield response
        finally:
            response.close()

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
        self,
        request: httpx.Request,
        *,
        again: bool,
        patience: float | None,
        streamed: bool = False,
        redirects: bool = True,
    ) -> httpx.Response:
        ends = self._clock() + (self._patience if patience is None else patience)
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._send_once(request, streamed=streamed, redirects=redirects)
            except Unreachable as exc:
                delay = _delay(exc, attempt)
                if not _may_repeat(exc, again, attempt) or self._clock() + delay > ends:
                    raise
                self.pause(delay)

    def _send_once(
        self, request: httpx.Request, *, streamed: bool, redirects: bool
    ) -> httpx.Response:
        with translated(request.method, request.url):
            follow = redirects and request.method == "GET"
            response = self._client.send(
                request, auth=self._auth, stream=streamed, follow_redirects=follow
            )
            raise_for(response)
            return response


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise Rejected(f"not an address: {exc}") from exc


def _may_repeat(exc: Unreachable, again: bool, attempt: int) -> bool:
    cause = exc.__cause__
    if isinstance(cause, httpx.HTTPStatusError):
        status = cause.response.status_code
        return again and (status in _SERVER_DOWN or (status == 500 and attempt < _TRANSIENT))
    return again or isinstance(cause, _NEVER_SENT)


def _delay(exc: Unreachable, attempt: int) -> float:
    """Seconds until the next attempt: what the server asks for, else growing, with jitter."""
    if isinstance(exc.__cause__, httpx.HTTPStatusError):
        asked = exc.__cause__.response.headers.get("Retry-After", "")
        if asked.isdigit():
            return float(asked)
    return min(_LONGEST_PAUSE, 0.1 * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311 - jitter
