"""Translate the errors of the connectors into those of the domain."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from backend.domain.errors import (
    AutolabelError,
    BadInput,
    LabelStudioDenied,
    LabelStudioUnreachable,
    NotFound,
    OutOfSpace,
    Unavailable,
    UnreadableImage,
)
from connectors import errors as connector

_DOMAIN_ERRORS: dict[type[connector.ConnectorError], Callable[[str, str], AutolabelError]] = {
    connector.Unreachable: LabelStudioUnreachable,
    connector.Denied: LabelStudioDenied,
    connector.ResourceNotFound: NotFound,
    connector.Rejected: BadInput,
    connector.FetchFailed: UnreadableImage,
    connector.DiskFull: OutOfSpace,
    connector.ConnectorError: Unavailable,
}


@contextmanager
def errors_translated() -> Generator[None]:
    """Raise the domain's error in place of a connector's, with its message and hint."""
    try:
        yield
    except connector.ConnectorError as exc:
        raise domain_error(exc) from exc


def domain_error(error: connector.ConnectorError) -> AutolabelError:
    """Return the error of the nearest base class that has one, so subclasses need no line above."""
    nearest = next(kind for kind in type(error).__mro__ if kind in _DOMAIN_ERRORS)
    return _DOMAIN_ERRORS[nearest](error.message, error.hint)
