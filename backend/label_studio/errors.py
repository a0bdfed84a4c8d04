"""The border at which errors of the connectors become ours."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from backend.domain.errors import (
    AutolabelError,
    BadInput,
    LabelStudioDenied,
    LabelStudioUnreachable,
    NotFound,
    OutOfSpace,
    UnreadableImage,
)
from connectors import errors as outside

OURS: dict[type[outside.ConnectorError], Callable[[str, str], AutolabelError]] = {
    outside.Unreachable: LabelStudioUnreachable,
    outside.Denied: LabelStudioDenied,
    outside.NotFound: NotFound,
    outside.Rejected: BadInput,
    outside.FetchFailed: UnreadableImage,
    outside.DiskFull: OutOfSpace,
}


@contextmanager
def in_our_words() -> Generator[None]:
    """Connector errors raised inside the block leave it as ours."""
    try:
        yield
    except outside.ConnectorError as exc:
        raise OURS[type(exc)](exc.message, exc.hint) from exc
