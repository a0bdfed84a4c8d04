"""Copies of labeled tasks, so that only those that changed are read from Label Studio again."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backend.domain.ids import ProjectId, TaskId
from backend.domain.json import Json


@dataclass(frozen=True, slots=True)
class CopiedTasks:
    """What the copies of a project hold.

    `newest` is the latest `updated_at` of all, None without copies. Changes up to the moment
    `complete_until` are all among them; None says that it is not known of any.
    """

    count: int
    newest: datetime | None
    complete_until: datetime | None


class TaskCopies(Protocol):
    """Keeps tasks in Label Studio's JSON, with `id` and `updated_at`. Losing them is no harm.

    Nothing is written where nothing differs.
    """

    def known(self, project: ProjectId) -> CopiedTasks: ...

    def put(self, project: ProjectId, tasks: Iterable[Json]) -> CopiedTasks:
        """Store copies. An older one never replaces a newer one."""
        ...

    def retain(
        self, project: ProjectId, tasks: Collection[TaskId], until: datetime | None
    ) -> CopiedTasks:
        """Delete the copies of all other tasks that did not change after `until`, if given.

        What is newer was stored by another process while `tasks` were listed. The copies are
        complete up to no moment afterwards.
        """
        ...

    def complete(self, project: ProjectId, until: datetime) -> None:
        """Note that all changes up to this moment are among the copies."""
        ...

    def changes(self, project: ProjectId, since: datetime) -> Mapping[TaskId, datetime]:
        """Return the `updated_at` of the copies of tasks that changed after this moment."""
        ...

    def between(self, project: ProjectId, first: TaskId, last: TaskId) -> Mapping[TaskId, Json]:
        """Return the copies of the tasks with these ids and any between them."""
        ...

    def all(self, project: ProjectId) -> Iterator[Json]:
        """Yield all copies in order of task id."""
        ...
