"""Logging of all processes: to stderr, without secrets, whoever wrote the message."""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from urllib.parse import unquote

from pydantic import SecretStr
from typing_extensions import override

from backend import settings
from backend.domain.errors import BadInput
from backend.domain.redaction import redact
from backend.settings import Settings

log = logging.getLogger(__name__)

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_PASSWORD = re.compile(r"://[^:@]*:(.*)@")
_AWS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class RedactingFormatter(logging.Formatter):
    """Formats a record with its traceback, and takes the secrets out of all of it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__(FORMAT)
        self._secrets = tuple(secrets)

    @override
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self._secrets)


def configure(level: int) -> None:
    """Log to stderr from now on, the error that ends the program included."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(_secrets_of_this_process()))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.excepthook = _log_uncaught


def log_errors_of_threads() -> None:
    """Log the errors that end a thread; for the commands that serve."""
    threading.excepthook = lambda about: _log_uncaught(
        about.exc_type, about.exc_value or about.exc_type(), about.exc_traceback
    )


def known_secrets(configured: Settings) -> Iterator[str]:
    """Yield the secrets in the settings, and those in which boto3 finds them."""
    for name in Settings.model_fields:
        value: object = getattr(configured, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, str):
            for password in _PASSWORD.findall(value):
                yield from (password, unquote(password))
    yield from (os.environ.get(name, "") for name in _AWS)


def _secrets_of_this_process() -> list[str]:
    try:
        return list(known_secrets(settings.load()))
    except BadInput:  # the command will say so itself
        return []


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        sys.__excepthook__(kind, error, traceback)
    else:
        log.critical("ended by an error", exc_info=(kind, error, traceback))
