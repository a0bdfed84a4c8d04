"""Download one file over HTTP: limited in time, size, redirects and attempts."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpcore
import httpx

from connectors.certificates import HINT, certificate_fault
from connectors.errors import ConnectorError, FetchFailed, TransientError
from connectors.http import HttpClient
from connectors.http_errors import HINT_ON_PROXY
from connectors.images.circuit_breaker import CircuitBreaker
from connectors.images.content import Content, Limits, check_size, save
from connectors.images.network import Connections, Deadline, within
from connectors.proxies import shown
from connectors.retry import Backoff, with_retries

_ATTEMPTS: Final = 3
_BACKOFF: Final = Backoff(first=0.2, factor=4, longest=2.0)
_REDIRECTS: Final = 5
_MOVED: Final = {301, 302, 303, 307, 308}
_SERVER_DOWN: Final = {429, 502, 503, 504}
_READ_SECONDS: Final = 15.0
"""Seconds without a byte after which an attempt is given up."""

_CONNECT_SECONDS: Final = 5.0
"""Shorter than the default limit of a fetch, so that a second attempt fits."""

_BROKEN: Final = (httpcore.NetworkError, httpcore.ProtocolError)

_HEADERS: Final = (
    ("Accept", "image/*,*/*;q=0.8"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", "label-studio-autolabel (fetches the files of labeling tasks)"),
)
_WEB_PAGE: Final = "Use the address of the image itself, one that needs no login"
_WEB_PAGE_LABEL_STUDIO: Final = (
    "Does LABEL_STUDIO_URL contain the path under which Label Studio is published?"
)
_LEFT_TO_PROXY: Final = (
    "Set LABEL_STUDIO_URL to the address of the proxy in front of Label Studio, or start Label"
    " Studio with USE_NGINX_FOR_UPLOADS=false"
)
_IS_IT_RUNNING: Final = "Is it running, and is this its address?"
_HINTS_LABEL_STUDIO: Final = {
    400: _LEFT_TO_PROXY,
    401: "Set LABEL_STUDIO_API_KEY to a token that is valid",
    403: "May the token's owner open the project, and is LOCAL_FILES_SERVING_ENABLED set there?",
    404: "Is the file still there, and does a storage of this project cover its folder or bucket?",
    500: "Label Studio answers so when an uploaded file is gone from its disk; see its log",
    424: "Correct the credentials of the project's storage in Label Studio",
}
_HINTS_WEB: Final = {
    401: "Files on the web must be readable without a login",
    403: "The server refuses programs, or wants a login: put the files where both are allowed",
    429: "The server limits how often it is asked: lower AUTOLABEL_FETCH_WORKERS",
    404: "Restore the file, or correct the task's data",
    410: "Restore the file, or correct the task's data",
}


class ServerDown(TransientError):
    """Label Studio itself is away: no connection, or a gateway that says so."""


class Downloader:
    """Downloads files from Label Studio with the token, and from other hosts without.

    The token is sent to Label Studio's own address only: it is dropped at the first redirect that
    leads away, and stays dropped if a later one leads back. Safe for several threads.
    """

    def __init__(
        self,
        label_studio: HttpClient,
        limits: Limits,
        *,
        patience: float = 0.0,
        connections: int = 64,
    ) -> None:
        self._label_studio = label_studio
        self._limits = limits
        self._connections = Connections(connections, label_studio.tls)
        self._breaker = CircuitBreaker(patience)
        self._patience = patience

    def fetch(
        self,
        url: str,
        to: Path,
        *,
        signed: bool,
        validator: str = "",
        cancelled: threading.Event | None = None,
        waits: bool = True,
    ) -> Content | None:
        """Write the file to `to`; return None when it did not change since `validator`.

        Unless `waits` is False, a web host that is away is waited for with the patience given.

        Raises:
            FetchFailed: with what the server did; `ServerDown` when Label Studio is away.
            DiskFull: when the file does not fit.
        """
        if signed:
            return self._download(url, to, True, validator, cancelled)
        return self._from_web(url, to, validator, cancelled, waits)

    def close(self) -> None:
        self._connections.close()

    def _from_web(
        self,
        url: str,
        to: Path,
        validator: str,
        cancelled: threading.Event | None,
        waits: bool,
    ) -> Content | None:
        """Download from a host that is not ours, waiting for one that is away."""
        host, breaker = _parsed(url).netloc.decode(), self._breaker
        deadline = Deadline(self._patience + self._limits.seconds, cancelled)
        failed_at: float | None = None

        def attempt() -> Content | None:
            with breaker.guarding(host):
                return self._download(url, to, False, validator, cancelled)

        def delay(exc: ConnectorError, _attempts: int) -> float | None:
            nonlocal failed_at
            if not waits or not isinstance(exc, TransientError):
                return None
            failed_at = breaker.now() if failed_at is None else failed_at
            seconds = breaker.pause(host, failed_at)
            return None if seconds is None else max(seconds, exc.retry_after)

        return with_retries(attempt, delay, deadline.pause)

    def _download(
        self,
        url: str,
        to: Path,
        signed: bool,
        validator: str,
        cancelled: threading.Event | None,
    ) -> Content | None:
        """Make a few attempts within the time limit of one fetch."""
        target, deadline = _parsed(url), Deadline(self._limits.seconds, cancelled)

        def attempt() -> Content | None:
            with within(deadline):
                return self._follow(target, to, signed, validator)

        def delay(exc: ConnectorError, attempts: int) -> float | None:
            if deadline.is_cancelled:
                raise FetchFailed("the fetch was cancelled") from exc
            if not isinstance(exc, TransientError) or attempts == _ATTEMPTS:
                return None
            return max(exc.retry_after, _BACKOFF.seconds(attempts))

        return with_retries(attempt, delay, deadline.pause)

    def _follow(self, url: httpx.URL, to: Path, signed: bool, validator: str) -> Content | None:
        """Make one attempt, following its redirects."""
        for _ in range(_REDIRECTS + 1):
            signed = signed and self._label_studio.covers(str(url))
            with self._response(url, signed, validator) as response:
                if response.status == 304 and validator:
                    return None
                if response.status == 200:
                    return self._save(response, url, to, signed)
                if response.status not in _MOVED:
                    raise self._refusal(response, url, signed)
                url = _parsed(_header(response, "location"), url)
        raise FetchFailed(
            f"{url.host} redirects more than {_REDIRECTS} times",
            "Put the final address into the task",
        )

    @contextmanager
    def _response(
        self, url: httpx.URL, signed: bool, validator: str
    ) -> Generator[httpcore.Response, None, None]:
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers = self._headers(signed, validator)
        pool = self._connections.to(url.scheme, url.host, url.port)
        timeouts = {"connect": _CONNECT_SECONDS, "read": _READ_SECONDS, "write": _READ_SECONDS}
        with (
            _translated(url, signed),
            pool.stream("GET", target, headers=headers, extensions={"timeout": timeouts}) as found,
        ):
            yield found

    def _refusal(self, response: httpcore.Response, url: httpx.URL, signed: bool) -> FetchFailed:
        """Tell a refusal of the proxy from one of the server."""
        proxy = self._connections.proxy(url.scheme, url.host, url.port)
        is_html = "html" in _header(response, "content-type")
        status = response.status
        if proxy and url.scheme == "http" and (status == 407 or (status == 403 and is_html)):
            what = f"the proxy {shown(proxy)} answered {status} to {url.host}"
            return FetchFailed(what, HINT_ON_PROXY)
        return _refusal(response, url, signed)

    def _headers(self, signed: bool, validator: str) -> list[tuple[str, str]]:
        name, _, value = validator.partition(": ")
        token = self._label_studio.auth_headers() if signed else {}
        return [*_HEADERS, *token.items(), *([(name, value)] if value else [])]

    def _save(self, response: httpcore.Response, url: httpx.URL, to: Path, signed: bool) -> Content:
        _refuse_left_to_proxy(response, url)
        length = _header(response, "content-length")
        check_size(int(length) if length.isdigit() else 0, self._limits.size)
        is_page = _header(response, "content-type").startswith("text/html")
        if is_page and not self._limits.web_pages:
            hint = _WEB_PAGE_LABEL_STUDIO if signed else _WEB_PAGE
            raise FetchFailed(f"{_server(url, signed)} sent a web page, not an image", hint)
        encoding = _header(response, "content-encoding").strip().lower()
        if encoding not in {"", "identity"}:  # decompressed, it may be of any size
            raise FetchFailed(
                f"{url.host} sent the file with Content-Encoding {encoding[:50]!r}",
                "Let the server send files uncompressed: as they are",
            )
        content = save(response.iter_stream(), to, self._limits.size)
        return replace(content, validator=_validator(response))


def _parsed(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """Return an absolute http address; a redirect's address may be relative to `base`."""
    try:
        parsed = base.join(url) if base else httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, ValueError) as exc:  # reading the host of "xn--" fails
        raise FetchFailed(f"{url[:200]!r} is not an address", "Correct the task's data") from exc
    if parsed.scheme not in {"http", "https"} or not host:
        raise FetchFailed(f"{parsed.scheme}: addresses are not followed", "Use http or https")
    return parsed


@contextmanager
def _translated(url: httpx.URL, signed: bool) -> Generator[None, None, None]:
    """Turn the errors of httpcore into TransientError."""
    server = _server(url, signed)
    try:
        yield
    except httpcore.ConnectTimeout as exc:
        raise _server_down(f"{server} does not answer", signed) from exc
    except httpcore.ProxyError as exc:
        what = f"the proxy refused the connection to {url.host}: {exc}"
        raise (FetchFailed if str(exc)[:1] == "4" else TransientError)(what, HINT_ON_PROXY) from exc
    except httpcore.ConnectError as exc:
        if fault := certificate_fault(exc):
            what = f"the certificate of {url.host} is not trusted: {fault}"
            raise FetchFailed(what, HINT) from exc
        raise _server_down(f"{server} cannot be reached ({exc})", signed) from exc
    except httpcore.TimeoutException as exc:
        hint = "Try again later, or raise AUTOLABEL_FETCH_SECONDS"
        raise TransientError(f"{server} is too slow", hint) from exc
    except _BROKEN as exc:
        raise TransientError(f"{server} broke off while sending", "Try again later") from exc


def _server(url: httpx.URL, signed: bool) -> str:
    return "Label Studio" if signed else url.host


def _server_down(
    what: str, signed: bool, retry_after: float = 0.0, hint: str = _IS_IT_RUNNING
) -> TransientError:
    error = ServerDown if signed else TransientError
    return error(what, hint, retry_after)


def _refusal(response: httpcore.Response, url: httpx.URL, signed: bool) -> FetchFailed:
    status = response.status
    what = f"{_server(url, signed)} answered {status} {httpx.codes.get_reason_phrase(status)}"
    hints = _HINTS_LABEL_STUDIO if signed else _HINTS_WEB
    if status in _SERVER_DOWN:
        retry_after = _header(response, "retry-after")
        seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        return _server_down(what, signed, seconds, hints.get(status, _IS_IT_RUNNING))
    if status == 500:
        return TransientError(what, hints.get(status, "Try again later"))
    return FetchFailed(what, hints.get(status, "Does the address open in a browser?"))


def _refuse_left_to_proxy(response: httpcore.Response, url: httpx.URL) -> None:
    """Raise FetchFailed for an empty answer that tells a proxy in front which file to send."""
    if _header(response, "x-accel-redirect") or _header(response, "x-sendfile"):
        raise FetchFailed(
            f"{url.host} leaves sending the file to a proxy in front of it (X-Accel-Redirect)",
            _LEFT_TO_PROXY,
        )


def _header(response: httpcore.Response, name: str) -> str:
    wanted = name.encode()
    values = (value for key, value in response.headers if key.lower() == wanted)
    return next(values, b"").decode("latin-1")


def _validator(response: httpcore.Response) -> str:
    """Return the request header that asks for the file only if it changed; "" if there is none.

    Headers that are not ASCII cannot be sent back.
    """
    for name, condition in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
        value = _header(response, name)
        if value and value.isascii():
            return f"{condition}: {value}"
    return ""
