"""Translate the errors of httpx into those of the connectors.

Messages have addresses without user and query, which may contain secrets, and only the reason from
the body of a response.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import httpx

from connectors.certificates import HINT, certificate_fault
from connectors.errors import (
    ConnectorError,
    Denied,
    Rejected,
    ResourceNotFound,
    TooLarge,
    Unreachable,
)

HINT_ON_DENIAL = (
    "Create a personal access token in Label Studio under Account & Settings and set it as"
    " LABEL_STUDIO_API_KEY"
)
HINT_ON_SIZE = (
    "A proxy in front of Label Studio limits the size of requests: raise it there, in nginx by"
    " client_max_body_size"
)
HINT_ON_PROXY = (
    "Correct HTTP_PROXY and HTTPS_PROXY (user and password too), or add the host to NO_PROXY"
)
HINT_ON_DATABASE = (
    "Its database may be locked or away: on SQLite, a large import or deletion locks it for as long"
    " as it takes. Try again when that is done; PostgreSQL does not lock"
)
_BY_STATUS: Mapping[int, tuple[type[ConnectorError], str]] = {
    401: (Denied, HINT_ON_DENIAL),
    403: (Denied, HINT_ON_DENIAL),
    404: (ResourceNotFound, ""),
    410: (ResourceNotFound, ""),
    413: (TooLarge, HINT_ON_SIZE),
    429: (Unreachable, ""),
}
"""The error and the hint of a status; others are Unreachable from 500 on, and Rejected below."""

_LONGEST_REASON = 300
PROXY = "proxy"
"""The extension of a request that names the proxy which it went through."""


@contextmanager
def translated(method: str, url: httpx.URL) -> Generator[None, None, None]:
    """Raise Unreachable, Denied, ResourceNotFound or Rejected in place of the errors of httpx."""
    where = _place(url)
    try:
        yield
    except httpx.TimeoutException as exc:
        raise Unreachable(f"{where} did not answer {method} {url.path} in time") from exc
    except httpx.HTTPStatusError as exc:
        raise _for_status(exc) from exc
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
        raise Rejected(f"{where}{url.path} is not a valid address") from exc
    except httpx.TooManyRedirects as exc:
        raise Rejected(f"{where} redirects {url.path} in circles") from exc
    except httpx.ProxyError as exc:
        raise _refused_by_proxy(where, exc) from exc
    except (httpx.HTTPError, httpx.StreamError) as exc:
        if fault := certificate_fault(exc):
            raise Rejected(f"the certificate of {where} is not trusted: {fault}", HINT) from exc
        hint = "Is it running, and is this its address?"
        raise Unreachable(f"{where} cannot be reached ({type(exc).__name__})", hint) from exc


def decoded(response: httpx.Response) -> Any:
    """Decode the JSON of a response; None if it is empty."""
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as exc:
        request = response.request
        raise Unreachable(
            f"{_place(request.url)} answered {request.method} {request.url.path} without JSON",
            "Is this the address of Label Studio?",
        ) from exc


def raise_for(response: httpx.Response) -> None:
    """Raise httpx.HTTPStatusError for a failed request, with the body of the response read.

    A redirect counts as a failure unless it answers a GET: followed, a POST would become a GET.
    """
    if response.is_error or (response.has_redirect_location and response.request.method != "GET"):
        response.read()
        response.raise_for_status()


def _place(url: httpx.URL) -> str:
    return f"{url.host}:{url.port}" if url.port else url.host


def _refused_by_proxy(where: str, exc: httpx.ProxyError) -> ConnectorError:
    """The proxy did not open the tunnel; its answer begins with a status, such as `407`."""
    lasts = str(exc)[:1] == "4"
    error = Rejected if lasts else Unreachable
    return error(f"the proxy refused the connection to {where}: {exc}", HINT_ON_PROXY)


def _for_status(exc: httpx.HTTPStatusError) -> ConnectorError:
    request, status = exc.request, exc.response.status_code
    if _is_of_proxy(exc.response):
        what = f"the proxy {request.extensions[PROXY]} answered {status} to {_place(request.url)}"
        return Rejected(what, HINT_ON_PROXY)
    what = f"{_place(request.url)} answered {status} to {request.method} {request.url.path}"
    what += _reason(exc.response)
    if exc.response.has_redirect_location:
        place = _place(exc.response.next_request.url if exc.response.next_request else request.url)
        return Rejected(f"{what} by a redirect to {place}", "Set LABEL_STUDIO_URL to that address")
    if lacks_database(exc.response):
        return Unreachable(what, HINT_ON_DATABASE)
    error, hint = _BY_STATUS.get(status, (Unreachable if status >= 500 else Rejected, ""))
    return error(what, hint)


def lacks_database(response: httpx.Response) -> bool:
    """Whether Label Studio could not even find out who asks, since its database did not answer.

    It then sends a page instead of JSON. On SQLite, that happens after five seconds of a lock.
    """
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    return response.status_code == 500 and is_page


def _is_of_proxy(response: httpx.Response) -> bool:
    """Whether a refusal is the proxy's own: Label Studio's have a reason in JSON."""
    if PROXY not in response.request.extensions or response.request.url.scheme != "http":
        return False
    return response.status_code == 407 or (response.status_code == 403 and not _reason(response))


def _reason(response: httpx.Response) -> str:
    """Return the reason in the JSON of an error response, shortened; "" for any other body."""
    try:
        body: object = response.json()
    except ValueError:
        return ""
    if isinstance(body, dict):
        fields = cast("dict[str, object]", body)
        parts = [fields.get("detail"), fields.get("validation_errors")]
        body = "; ".join(str(part) for part in parts if part)
    return f": {str(body)[:_LONGEST_REASON]}" if body else ""
