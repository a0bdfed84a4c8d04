"""Checks of the head of a request: host, credentials, origin, content type, body size.

They run twice: as soon as the head has arrived, so that no body is read for a request that will be
refused (`backend.web.request_head`), and in Flask before every route, which writes the answer.

Label Studio sends Basic credentials if they are set. Browsers send an `Origin`, which must be this
backend's. The API accepts `application/json` only, which no cross-site form can send. Without
credentials, a name in the Host header must be known, to prevent DNS rebinding. Other sites may
link to a page but embed or fetch nothing.
"""

import base64
import binascii
import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Request, Response, abort, request

from backend.processes.exposure import has_credentials, is_loopback, is_open
from backend.settings import Settings
from backend.web import body_limits
from backend.web.context import settings as app_settings

BODY_NOT_READ = "body_not_read"
"""Header of a request whose body was left out. Clients cannot send it: theirs are upper-cased."""

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
    """Refuse the current request if it fails a check. Raises HTTPException."""
    check_head(request, app_settings())
    if f"HTTP_{BODY_NOT_READ}" in request.environ:
        abort(400, "the head of this request was refused")


def check_head(head: Request, settings: Settings) -> None:
    """Refuse a request by its head. Raises HTTPException."""
    _check_size(head, settings)
    if head.path != "/health":
        _check_host(head, settings)
        _check_credentials(head, settings)
        _check_site(head)
    if head.method in CHANGING:
        _check_origin(head, settings)
        if head.path.startswith("/api/"):
            _check_content_type(head)


def add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _check_size(head: Request, settings: Settings) -> None:
    largest = body_limits.largest_body(head.path, settings)
    size = head.content_length or 0
    if size > largest:
        abort(413, f"the request body has {size:,} bytes; {head.path} takes up to {largest:,}")


def _check_host(head: Request, settings: Settings) -> None:
    """Refuse host names that another site may have pointed at this machine."""
    if has_credentials(settings):
        return
    host = _host_of(f"//{head.headers.get('Host', '')}")
    if is_loopback(host) or host == _host_of(settings.public_url):
        return
    if is_open(settings) and (_is_address(host) or "public_url" not in settings.model_fields_set):
        return
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


def _is_address(host: str) -> bool:
    """Return whether this is an IP address, which no other site can point elsewhere."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _check_credentials(head: Request, settings: Settings) -> None:
    if not has_credentials(settings):
        return
    login = f"{settings.basic_auth_user}:{settings.basic_auth_password.get_secret_value()}"
    given = _basic(head.headers.get("Authorization", ""))
    if not any(hmac.compare_digest(given, one) for one in _encoded(login)):
        abort(401, "this backend requires a user name and a password (AUTOLABEL_BASIC_AUTH_USER)")


def _encoded(login: str) -> list[bytes]:
    """Encode as browsers do, and as Label Studio does where that is possible."""
    try:
        return [login.encode(), login.encode("latin-1")]
    except UnicodeEncodeError:
        return [login.encode()]


def _basic(header: str) -> bytes:
    """Return the `user:password` of a Basic Authorization header; empty if there is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _check_site(head: Request) -> None:
    """Refuse what another site embeds or fetches; following a link from there is fine.

    Browsers that send no `Sec-Fetch-Site` are not checked.
    """
    if head.headers.get("Sec-Fetch-Site") not in {"cross-site", "same-site"}:
        return
    mode, target = head.headers.get("Sec-Fetch-Mode"), head.headers.get("Sec-Fetch-Dest")
    if head.method in CHANGING or (mode, target) != ("navigate", "document"):
        abort(403, "this backend does not serve requests that come from pages of other sites")


def _check_origin(head: Request, settings: Settings) -> None:
    origin = head.headers.get("Origin")
    if origin is None:
        return
    # only a proxy can set X-Forwarded-Host: pages of other sites may add no header
    hosts = {head.host, head.headers.get("X-Forwarded-Host", head.host)}
    ours = {f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")}
    if origin not in ours | {"/".join(settings.public_url.split("/")[:3])}:
        abort(
            403,
            f"requests from {origin[:200]} are refused; if that is this backend's address, "
            "set AUTOLABEL_PUBLIC_URL to it",
        )


def _check_content_type(head: Request) -> None:
    if (head.content_length or head.content_type) and not head.is_json:
        abort(415, "the request body must be JSON, sent with Content-Type: application/json")
