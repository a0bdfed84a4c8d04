"""What the routes take from the Flask app they run in."""

from typing import cast

from flask import current_app, g

from backend.ports.application import Backend
from backend.settings import Settings

BACKEND = "AUTOLABEL_BACKEND"
SETTINGS = "AUTOLABEL_SETTINGS"


def backend() -> Backend:
    return cast(Backend, current_app.config[BACKEND])


def settings() -> Settings:
    return cast(Settings, current_app.config[SETTINGS])


def request_id() -> str:
    """Id of this request in the log, in `X-Request-Id` and in the response to a crash."""
    return cast(str, g.get("request_id", ""))
