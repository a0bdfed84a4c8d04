"""Send requests to one Label Studio and check the shape of its JSON."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, Unpack, cast

from connectors.errors import ConnectorError, ResourceNotFound, TooLarge, Unreachable
from connectors.http import HttpClient, RequestOptions

log = logging.getLogger(__name__)

JsonObject = dict[str, Any]
Item = TypeVar("Item")
Answer = TypeVar("Answer")

_ACTION_SECONDS = 300.0

FEWEST_AT_ONCE = 10
"""Tasks from which on an action is quicker than as many deletions by id."""


class Calls:
    """The requests that every group of API calls is built from.

    The parsed JSON is returned as Label Studio sends it.
    """

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    def object(self, method: str, path: str, **options: Unpack[RequestOptions]) -> JsonObject:
        """Request a JSON object; `options` go to `HttpClient.request_json`."""
        answer = self.http.request_json(method, path, **options)
        if not isinstance(answer, dict):
            raise unexpected_json(method, path)
        return cast("JsonObject", answer)

    def array(self, path: str, **options: Unpack[RequestOptions]) -> list[JsonObject]:
        """GET a JSON array of objects; `options` go to `HttpClient.request_json`."""
        answer = self.http.request_json("GET", path, **options)
        if not isinstance(answer, list):
            raise unexpected_json("GET", path)
        return cast("list[JsonObject]", answer)

    def delete(self, path: str) -> None:
        """Delete a resource. A missing one is no error, so the call may be repeated."""
        with contextlib.suppress(ResourceNotFound):
            self.http.request_json("DELETE", path)

    def action(self, project: int, name: str, tasks: Sequence[int], **fields: Any) -> JsonObject:
        """Run a Data Manager action on these tasks.

        `filters` among the fields limit it to those that match when it runs. The request is never
        repeated when the connection breaks: no action is idempotent while people work on the same
        tasks. `SendOnce` looks before it sends another one.

        Raises:
            ValueError: without tasks. Label Studio would take all tasks of the project.
        """
        if not tasks:
            raise ValueError(f"no tasks for {name}")
        return self.object(
            "POST",
            "/api/dm/actions/",
            params={"id": name, "project": project},
            json={"selectedItems": {"all": False, "included": list(tasks)}, **fields},
            timeout=_ACTION_SECONDS,
        )

    def delete_at_once(
        self, project: int, name: str, tasks: Sequence[int], filters: JsonObject
    ) -> bool:
        """Run an action that deletes from those of these tasks that match when it runs.

        False if it failed: what is left may be deleted by id.
        """
        try:
            self.action(project, name, tasks, filters=filters)
        except ConnectorError as exc:
            log.warning("project %s: %s, so deletions go by id", project, exc.message)
            return False
        return True


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split the items into consecutive batches of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def send_in_parts(items: Sequence[Item], send: Callable[[Sequence[Item]], Answer]) -> list[Answer]:
    """Send items in one request; in halves, and halves of these, where it is too large.

    Raises:
        TooLarge: when a single item is.
    """
    try:
        return [send(items)]
    except TooLarge:
        if len(items) < 2:
            raise
        middle = len(items) // 2
        return [*send_in_parts(items[:middle], send), *send_in_parts(items[middle:], send)]


def unexpected_json(method: str, path: str) -> Unreachable:
    return Unreachable(
        f"{method} {path} did not return the JSON that Label Studio returns",
        "Check that LABEL_STUDIO_URL is the address of Label Studio",
    )
