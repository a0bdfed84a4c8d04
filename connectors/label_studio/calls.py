"""What every group of Label Studio calls stands on."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

from connectors.errors import NotFound, Unreachable
from connectors.http import HttpClient

Json = dict[str, Any]
Item = TypeVar("Item")

_ACTION_SECONDS = 300.0


class Calls:
    """A group of calls to one Label Studio, in JSON as Label Studio speaks it."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    def _object(self, method: str, path: str, **options: Any) -> Json:
        answer = self.http.request_json(method, path, **options)
        if not isinstance(answer, dict):
            raise not_as_expected(method, path)
        return cast("Json", answer)

    def _list(self, path: str, **options: Any) -> list[Json]:
        answer = self.http.request_json("GET", path, **options)
        if not isinstance(answer, list):
            raise not_as_expected("GET", path)
        return cast("list[Json]", answer)

    def _delete(self, path: str) -> None:
        """Gone afterwards; already gone is fine, since a repeated call finds it so."""
        with contextlib.suppress(NotFound):
            self.http.request_json("DELETE", path)

    def _act(self, project: int, action: str, tasks: Sequence[int], **fields: Any) -> Json:
        """A Data Manager action on some tasks; only for actions that may be repeated."""
        return self._object(
            "POST",
            "/api/dm/actions",
            params={"id": action, "project": project},
            json={"selectedItems": {"all": False, "included": list(tasks)}, **fields},
            idempotent=True,
            timeout=_ACTION_SECONDS,
        )


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in order, `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def not_as_expected(method: str, path: str) -> Unreachable:
    return Unreachable(
        f"{method} {path} was answered with other JSON than Label Studio's",
        "Is this the address of Label Studio?",
    )
