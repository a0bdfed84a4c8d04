"""The web process: Label Studio's ML-backend API, the JSON API and the page in one Flask app.

Works with Flask 1.1.2, which label-studio-ml 1.0.9 pins, and with Flask 3.
"""

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Protocol, cast

from flask import Flask, Response, g, request
from waitress.server import create_server
from werkzeug.exceptions import HTTPException

from backend.domain.errors import AutolabelError, BadInput
from backend.ports.application import Backend
from backend.processes import exposure
from backend.settings import Settings
from backend.web import api, body_limits, errors, ml_backend, security
from backend.web.console import actions, labels, pages, review
from backend.web.context import BACKEND, SETTINGS, request_id
from backend.web.errors import Failure
from backend.web.project_number import ProjectConverter
from backend.web.prometheus import Monitoring
from backend.web.proxy import BelowPath
from backend.web.request_head import check_heads
from backend.web.responses import answer

log = logging.getLogger(__name__)

SERVER_OPTIONS: Mapping[str, Any] = {
    "threads": 40,
    "connection_limit": 1000,
    "max_request_body_size": body_limits.LARGEST_PREDICT + 1,
    "ident": None,
    "clear_untrusted_proxy_headers": False,
}
"""40 threads: 20 waiting /predict requests, 8 event streams of the page, and some to spare."""


class _Tasks(Protocol):
    def shutdown(self) -> object: ...


class _WaitressServer(Protocol):
    """The part of waitress's server in use."""

    effective_port: int
    task_dispatcher: _Tasks

    def run(self) -> None: ...

    def close(self) -> None: ...


class Server:
    """Listens for requests."""

    def __init__(self, listening: _WaitressServer) -> None:
        self._listening = listening

    @property
    def port(self) -> int:
        return self._listening.effective_port

    def run(self) -> None:
        """Handle requests until `close`."""
        self._listening.run()

    def close(self) -> None:
        """Stop, after up to five seconds for the requests in progress.

        A thread that answered one later would wake the server through a file descriptor that may
        be another file's by then, and write a byte into that.
        """
        self._listening.task_dispatcher.shutdown()
        self._listening.close()


def create_app(backend: Backend, settings: Settings) -> Flask:
    """Build the app; it imports no torch before it computes predictions."""
    app = Flask(__name__, static_folder=None)
    app.config[BACKEND] = backend
    app.config[SETTINGS] = settings
    app.config["MAX_CONTENT_LENGTH"] = body_limits.LARGEST_PREDICT
    app.url_map.converters["project"] = ProjectConverter
    app.wsgi_app = BelowPath(app.wsgi_app, settings.public_url)  # type: ignore[method-assign] - Flask's way
    monitoring = Monitoring(backend)
    app.before_request(_name_request)
    app.before_request(monitoring.start)
    app.before_request(security.check_request)
    app.after_request(_log_request)
    app.after_request(monitoring.stop)
    app.after_request(security.add_headers)
    app.register_error_handler(Exception, _failed)
    app.register_blueprint(ml_backend.routes)
    app.register_blueprint(api.routes)
    app.register_blueprint(pages.routes)
    app.register_blueprint(actions.routes)
    app.register_blueprint(labels.routes)
    app.register_blueprint(review.routes)
    app.add_url_rule("/metrics", "metrics", monitoring.page)
    return app


def server(backend: Backend, settings: Settings) -> Server:
    """Open a listening server; `run` handles requests until `close`.

    Raises:
        BadInput: when the address is in use or not one of this machine, or on a network and
            without credentials.
    """
    exposure.refuse_open(settings)
    app = create_app(backend, settings)
    address = f"{settings.host}:{settings.port}"
    sockets: dict[int, Any] = {}
    try:
        listening = create_server(app, sockets, listen=address, **SERVER_OPTIONS)
    except OSError as exc:
        hint = "Stop the other program, or set AUTOLABEL_PORT to a free port"
        raise BadInput(f"cannot listen on {address}: {exc.strerror}", hint) from exc
    check_heads(sockets.values(), settings)
    return Server(cast(_WaitressServer, listening))


def serve(backend: Backend, settings: Settings) -> None:
    """Handle requests until the process is terminated."""
    listening = server(backend, settings)
    log.info("listening on http://%s:%s", settings.host, settings.port)
    if exposure.is_open(settings):
        log.warning("AUTOLABEL_INSECURE is set: %s", exposure.warning(settings))
    listening.run()


def _name_request() -> None:
    g.request_id = secrets.token_hex(4)


def _log_request(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    level = logging.INFO if response.status_code >= 400 else logging.DEBUG
    log.log(
        level,
        "%s %s %r: %s",
        request_id(),
        request.method[:20],
        request.path[:200],
        response.status_code,
    )
    return response


def _failed(error: Exception) -> Response:
    """Turn every error into a response without a traceback."""
    failure = _failure(error)
    response = _page(failure) if _wants_page() else answer(failure.json(), failure.status_line)
    if failure.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Autolabel", charset="UTF-8"'
    return response


def _wants_page() -> bool:
    """Return whether a browser asks: browsers accept HTML by name, programs do not."""
    accepted = request.headers.get("Accept", "")
    return "text/html" in accepted and not request.path.startswith("/api/")


def _page(failure: Failure) -> Response:
    return Response(pages.error_page(failure), failure.status_line)


def _failure(error: Exception) -> Failure:
    if isinstance(error, AutolabelError):
        return errors.of_autolabel(error)
    if isinstance(error, HTTPException):
        return errors.of_http(error, request.path, browser=_wants_page())
    log.exception("%s failed", request_id(), exc_info=error)
    return errors.of_crash(request_id())
