"""One file over HTTP: bounded in time, size, redirects and attempts."""

import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpcore
import httpx

from connectors.errors import FetchFailed
from connectors.http import HttpClient
from connectors.images.circuit_breaker import CircuitBreaker, TransientError
from connectors.images.content import Limits, Received, check_size, save
from connectors.images.network import Connections, Deadline, within

_ATTEMPTS: Final = 3
_REDIRECTS: Final = 5
_MOVED: Final = {301, 302, 303, 307, 308}
_AGAIN: Final = {429, 500, 502, 503, 504}
_SILENCE: Final = 15.0
"""Seconds without a byte after which an attempt is given up."""

_BROKEN: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpx.DecodingError,
)
_CONNECT: Final = 5.0
"""Seconds to wait for a connection: shorter than the limit, so that a second attempt fits."""

_HEADERS: Final = (
    ("Accept", "image/*,*/*;q=0.8"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", "label-studio-autolabel"),
)
_HINTS_OF_LABEL_STUDIO: Final = {
    401: "Set LABEL_STUDIO_API_KEY to a token that is valid",
    403: "May the token's owner open the project, and is LOCAL_FILES_SERVING_ENABLED set there?",
    404: "Is the file still there, and does a storage of this project cover its folder or bucket?",
    500: "Label Studio answers so when an uploaded file is gone from its disk; see its log",
    424: "Correct the credentials of the project's storage in Label Studio",
}
_HINTS_ELSEWHERE: Final = {
    401: "Images on the web must be readable without a login",
    403: "Images on the web must be readable without a login",
    404: "Put the image there again, or correct the task's data",
    410: "Put the image there again, or correct the task's data",
}


class ServerDown(TransientError):
    """Label Studio itself is not there: no connection, or a proxy that says so."""


class Downloader:
    """Fetches files from Label Studio with our token, and from anywhere else without.

    The token goes to Label Studio's own address only: it is dropped at the first redirect that
    leads away, and never sent where a redirect comes back. Safe for several threads.
    """

    def __init__(self, label_studio: HttpClient, limits: Limits, connections: int = 64) -> None:
        self._label_studio = label_studio
        self._limits = limits
        self._connections = Connections(connections)
        self._breaker = CircuitBreaker()

    def fetch(
        self,
        url: str,
        to: Path,
        *,
        signed: bool,
        validator: str = "",
        cancelled: threading.Event | None = None,
    ) -> Received | None:
        """Write the file to `to`; None when the server says that it did not change.

        Raises:
            FetchFailed: saying what the server did; `ServerDown` where Label Studio is gone.
            DiskFull: when the file does not fit.
        """
        target, deadline = _readable(url), Deadline(self._limits.seconds, cancelled)
        with nullcontext() if signed else self._breaker.watching(target.netloc.decode()):
            return self._persistently(target, to, signed, validator, deadline)

    def close(self) -> None:
        self._connections.close()

    def _persistently(
        self, url: httpx.URL, to: Path, signed: bool, validator: str, deadline: Deadline
    ) -> Received | None:
        attempt = 1
        while True:
            try:
                with within(deadline):
                    return self._follow(url, to, signed, validator)
            except TransientError as exc:
                if deadline.is_cancelled:
                    raise FetchFailed("the fetch was cancelled") from exc
                if attempt == _ATTEMPTS or not deadline.pause(0.05 * 4**attempt):
                    raise
                attempt += 1

    def _follow(self, url: httpx.URL, to: Path, signed: bool, validator: str) -> Received | None:
        for _ in range(_REDIRECTS + 1):
            signed = signed and self._label_studio.covers(str(url))
            with self._asked(url, signed, validator) as answer:
                if answer.status == 304 and validator:
                    return None
                if answer.status == 200:
                    return self._saved(answer, url, to)
                if answer.status not in _MOVED:
                    raise _refusal(answer.status, url, signed)
                url = _readable(_header(answer, "location"), url)
        raise FetchFailed(
            f"{url.host} redirects more than {_REDIRECTS} times",
            "Put the final address into the task",
        )

    @contextmanager
    def _asked(
        self, url: httpx.URL, signed: bool, validator: str
    ) -> Generator[httpcore.Response, None, None]:
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers = self._headers(signed, validator)
        pool = self._connections.to(url.scheme, url.host)
        waits = {"connect": _CONNECT, "read": _SILENCE, "write": _SILENCE}
        with (
            _translated(url, signed),
            pool.stream("GET", target, headers=headers, extensions={"timeout": waits}) as answer,
        ):
            yield answer

    def _headers(self, signed: bool, validator: str) -> list[tuple[str, str]]:
        name, _, value = validator.partition(": ")
        token = self._label_studio.auth_headers() if signed else {}
        return [*_HEADERS, *token.items(), *([(name, value)] if value else [])]

    def _saved(self, answer: httpcore.Response, url: httpx.URL, to: Path) -> Received:
        length = _header(answer, "content-length")
        check_size(int(length) if length.isdigit() else 0, self._limits.size)
        if _header(answer, "content-type").startswith("text/html"):
            raise FetchFailed(
                f"{url.host} sent a web page, not an image",
                "Use the address of the image itself, one that needs no login",
            )
        body = httpx.Response(200, headers=answer.headers, content=answer.iter_stream())
        received = save(body.iter_bytes(), to, self._limits.size)
        return replace(received, validator=_validator(answer))


def _readable(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """An absolute http address; `base` is what a redirect's address counts from."""
    try:
        parsed = base.join(url) if base else httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, ValueError) as exc:  # a host such as "xn--" shows when it is read
        raise FetchFailed(f"{url[:200]!r} is not an address", "Correct the task's data") from exc
    if parsed.scheme not in {"http", "https"} or not host:
        raise FetchFailed(f"{parsed.scheme}: addresses are not followed", "Use http or https")
    return parsed


@contextmanager
def _translated(url: httpx.URL, signed: bool) -> Generator[None, None, None]:
    """Everything that the network may raise, as ours."""
    who = _name(url, signed)
    try:
        yield
    except httpcore.ConnectTimeout as exc:
        raise _away(f"{who} does not answer", signed) from exc
    except httpcore.ConnectError as exc:
        raise _away(f"{who} cannot be reached ({exc})", signed) from exc
    except httpcore.TimeoutException as exc:
        hint = "Try again later, or raise AUTOLABEL_FETCH_SECONDS"
        raise TransientError(f"{who} is too slow", hint) from exc
    except _BROKEN as exc:
        raise TransientError(f"{who} broke off while sending", "Try again later") from exc


def _name(url: httpx.URL, signed: bool) -> str:
    return "Label Studio" if signed else url.host


def _away(what: str, signed: bool) -> TransientError:
    hint = "Is it running, and is this its address?"
    return ServerDown(what, hint) if signed else TransientError(what, hint)


def _refusal(status: int, url: httpx.URL, signed: bool) -> FetchFailed:
    what = f"{_name(url, signed)} answered {status} {httpx.codes.get_reason_phrase(status)}"
    hints = _HINTS_OF_LABEL_STUDIO if signed else _HINTS_ELSEWHERE
    if status in {502, 503}:
        return _away(what, signed)
    if status in _AGAIN:
        return TransientError(what, hints.get(status, "Try again later"))
    return FetchFailed(what, hints.get(status, "Does the address open in a browser?"))


def _header(answer: httpcore.Response, name: str) -> str:
    wanted = name.encode()
    values = (value for key, value in answer.headers if key.lower() == wanted)
    return next(values, b"").decode("latin-1")


def _validator(answer: httpcore.Response) -> str:
    if tag := _header(answer, "etag"):
        return f"If-None-Match: {tag}"
    if changed := _header(answer, "last-modified"):
        return f"If-Modified-Since: {changed}"
    return ""
