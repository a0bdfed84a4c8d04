"""Objects that routes take from the current Flask app."""

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
    """Return the id of this request in the log, in `X-Request-Id` and in a crash's response."""
    return cast(str, g.get("request_id", ""))
