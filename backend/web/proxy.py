"""Read from a proxy's headers below which path, and whether by TLS, it serves the backend.

The headers decide only how the backend writes its own addresses and cookies, so they are accepted
from every client: one that makes them up harms only itself.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]

_PATH = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)


class BelowPath:
    """Runs an app below the path that the proxy names, or below that of `public_url`.

    X-Forwarded-Prefix counts whether or not the proxy takes the prefix off the path. The path of
    `public_url` counts where requests arrive with it.
    """

    def __init__(self, app: App, public_url: str) -> None:
        self._app = app
        self._public_url = public_url

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        apply(environ, self._public_url)
        return self._app(environ, start_response)


def apply(environ: Environ, public_url: str) -> None:
    """Set SCRIPT_NAME, PATH_INFO and the scheme of a WSGI environment."""
    if environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")[0].strip() == "https":
        environ["wsgi.url_scheme"] = "https"
    forwarded = _prefix(environ.get("HTTP_X_FORWARDED_PREFIX", ""))
    prefix = forwarded or _prefix(urlsplit(public_url).path)
    if not prefix:
        return
    path = environ.get("PATH_INFO", "")
    is_below = path == prefix or path.startswith(prefix + "/")
    if is_below:
        environ["PATH_INFO"] = path[len(prefix) :] or "/"
    if is_below or forwarded:
        environ["SCRIPT_NAME"] = prefix


def _prefix(text: str) -> str:
    path = text.strip().rstrip("/")
    return path if _PATH.fullmatch(path) else ""
