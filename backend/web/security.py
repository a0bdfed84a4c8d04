"""Checks before every route: body size, host, credentials, origin, content type.

Label Studio sends Basic credentials if they are set. Browsers send an `Origin`, which must be this
backend's. The API accepts `application/json` only, which no cross-site form can send. Without
credentials on loopback, only loopback Host headers are accepted, to prevent DNS rebinding.
"""

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Response, abort, request

from backend.web.context import settings

MEGABYTE = 1_000_000
LARGEST_PREDICT = 250 * MEGABYTE
"""Label Studio's own upload limit, so the largest body it can pass on."""
LARGEST_BODY = 1 * MEGABYTE
LARGEST_EVENT = 50 * MEGABYTE
"""A webhook carries up to 5,000 tasks."""

LARGEST = {
    "/predict": LARGEST_PREDICT,
    "/train": LARGEST_PREDICT,
    "/webhook": LARGEST_EVENT,
    "/setup": LARGEST_EVENT,
}

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


def check_request() -> None:
    """Refuse a request that fails a check. Raises HTTPException."""
    _check_size()
    if request.path != "/health":
        _check_host()
        _check_credentials()
    if request.method in CHANGING:
        _check_origin()
        if request.path.startswith("/api/"):
            _check_content_type()


def add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _check_size() -> None:
    largest = LARGEST.get(request.path, LARGEST_BODY)
    size = request.content_length or 0
    if size > largest:
        abort(413, f"the request body has {size:,} bytes; {request.path} takes up to {largest:,}")


def _check_host() -> None:
    if settings().basic_auth_user or not _is_loopback(settings().host):
        return
    host = _host_of(f"//{request.headers.get('Host', '')}")
    if not _is_loopback(host) and host != _host_of(settings().public_url):
        abort(
            403,
            f"this backend does not accept the host name {host[:200]!r}; if it is right, set "
            "AUTOLABEL_PUBLIC_URL to it, or protect the backend with AUTOLABEL_BASIC_AUTH_USER",
        )


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_credentials() -> None:
    user = settings().basic_auth_user
    password = settings().basic_auth_password.get_secret_value()
    if not user and not password:
        return
    given = request.authorization
    right_user = _same(given.username if given else None, user)
    right_password = _same(given.password if given else None, password)
    if not (right_user and right_password):
        abort(401, "this backend requires a user name and a password (AUTOLABEL_BASIC_AUTH_USER)")


def _same(given: str | None, wanted: str) -> bool:
    """Compare in constant time, so that timing reveals nothing."""
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def _check_origin() -> None:
    origin = request.headers.get("Origin")
    if origin is None:
        return
    public = "/".join(settings().public_url.split("/")[:3])
    if origin not in {f"http://{request.host}", f"https://{request.host}", public}:
        abort(
            403,
            f"requests from {origin[:200]} are refused; if that is this backend's address, "
            "set AUTOLABEL_PUBLIC_URL to it",
        )


def _check_content_type() -> None:
    if (request.content_length or request.content_type) and not request.is_json:
        abort(415, "the request body must be JSON, sent with Content-Type: application/json")
