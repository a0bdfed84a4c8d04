"""CSRF protection: the same secret in a cookie and in the form.

Another site can make a browser send the cookie but cannot read it, so it cannot fill in the form.
"""

import hmac
import secrets

from flask import Response, abort, g, request

COOKIE = "autolabel_form"
FIELD = "form_token"
HEADER = "X-Form-Token"


def current() -> str:
    """Return the secret of this browser, created with its first page."""
    if "form_token" not in g:
        g.form_token = request.cookies.get(COOKIE) or secrets.token_urlsafe(24)
    return g.form_token


def check() -> None:
    """Refuse a form without the secret. Raises HTTPException."""
    cookie, sent = request.cookies.get(COOKIE, ""), _sent()
    if not cookie or not hmac.compare_digest(cookie.encode(), sent.encode()):
        abort(403, "this form was not sent from this page; reload the page and try again")


def _sent() -> str:
    """Return the secret of a form, or of a script, whose body is JSON."""
    return request.headers.get(HEADER) or request.form.get(FIELD, "")


def keep(response: Response) -> Response:
    """Set the cookie if the response contains a form."""
    if "form_token" in g and request.cookies.get(COOKIE) != g.form_token:
        response.set_cookie(
            COOKIE,
            g.form_token,
            path=request.script_root or "/",
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )
    return response
