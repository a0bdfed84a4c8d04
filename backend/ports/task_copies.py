"""Copies of labeled tasks, so that only those that changed are read from Label Studio again."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from backend.domain.ids import ProjectId
from backend.domain.json import Json


class TaskCopies(Protocol):
    """Keeps tasks in Label Studio's JSON, with `id` and `updated_at`. Losing them is no harm."""

    def newest(self, project: ProjectId) -> tuple[str, datetime]:
        """Return the latest `updated_at` of all copies, and when they were last compared.

        As Label Studio writes it, '' without copies.
        """
        ...

    def count(self, project: ProjectId) -> int: ...

    def put(self, project: ProjectId, tasks: Iterable[Json], compared: datetime) -> None:
        """Store copies. An older one never replaces a newer one."""
        ...

    def replace(self, project: ProjectId, tasks: Iterable[Json], compared: datetime) -> None:
        """Store these copies in place of all."""
        ...

    def all(self, project: ProjectId) -> Iterator[Json]:
        """Yield all copies in order of task id."""
        ...
