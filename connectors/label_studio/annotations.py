"""Annotations of Label Studio, one at a time."""

from collections.abc import Sequence
from typing import Any

from connectors.label_studio.calls import Calls, JsonObject


class Annotations:
    """Create and read annotations."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(self, task: int, result: Sequence[JsonObject], **fields: Any) -> JsonObject:
        """Annotate as the owner of the token; `was_cancelled=True` skips the task."""
        body = {"result": list(result), **fields}
        return self._calls.object("POST", f"/api/tasks/{task}/annotations/", json=body)

    def of_task(self, task: int) -> list[JsonObject]:
        return self._calls.array(f"/api/tasks/{task}/annotations/")
