"""Every error of the connectors becomes one of the domain."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import connectors
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
from backend.label_studio.errors import errors_translated
from connectors import errors as connector

INSIDE_LABEL_STUDIO = "connectors.data_manager_action"


def every_kind(of: type = connector.ConnectorError) -> Iterator[type[connector.ConnectorError]]:
    yield of
    for kind in of.__subclasses__():
        yield from every_kind(kind)


def load_connectors() -> None:
    """Import all modules of the connectors, so that all their error classes exist."""
    for module in pkgutil.walk_packages(connectors.__path__, "connectors."):
        if not module.name.startswith(INSIDE_LABEL_STUDIO):
            import_module(module.name)


def translated(error: connector.ConnectorError) -> AutolabelError:
    with pytest.raises(AutolabelError) as raised, errors_translated():
        raise error
    return raised.value


def test_every_connector_error_keeps_its_message_and_hint():
    load_connectors()
    kinds = list(every_kind())
    assert len(kinds) > 7, "the subclasses were found"
    for kind in kinds:
        error = kind("it is broken", "Mend it")
        ours = translated(error)
        assert (ours.message, ours.hint) == ("it is broken", "Mend it")
        assert ours.__cause__ is error


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (connector.Unreachable, LabelStudioUnreachable),
        (connector.Denied, LabelStudioDenied),
        (connector.ResourceNotFound, NotFound),
        (connector.Rejected, BadInput),
        (connector.FetchFailed, UnreadableImage),
        (connector.DiskFull, OutOfSpace),
        (connector.ConnectorError, Unavailable),
    ],
)
def test_each_class_has_its_own(theirs, ours):
    assert type(translated(theirs("it is broken"))) is ours


def test_a_subclass_without_an_own_line_is_translated_as_its_base_class():
    class Throttled(connector.FetchFailed):
        pass

    assert type(translated(Throttled("it is broken"))) is UnreadableImage


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), errors_translated():
        raise ZeroDivisionError
