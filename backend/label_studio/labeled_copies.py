"""Read the labeled tasks of a project, asking Label Studio only for those that changed.

Label Studio takes about 3 ms for each labeled task with its annotations, so that a status would
take seconds in a project with thousands of them. A task's `updated_at` changes whenever one of its
annotations is created, changed or deleted. So the tasks that changed since the last look, and the
number of labeled tasks, tell everything: if the copies are as many as that number afterwards, none
of them has lost its annotations. One call tells that number and the newest change; where there are
any, a second one tells which tasks changed, and only those that no copy shows are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backend.domain.answers import LabeledImage
from backend.domain.ids import ProjectId, TaskId
from backend.domain.json import Json
from backend.domain.schema import LabelSchema
from backend.domain.version_names import MARKER_PREFIXES
from backend.label_studio import codec
from backend.label_studio.errors import errors_translated
from backend.label_studio.inline_images import task_without_content
from backend.ports.task_copies import CopiedTasks, TaskCopies
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.tasks import IDS_PER_QUERY

MARGIN = timedelta(minutes=3)
"""A change appears when its transaction ends, which may be long after its `updated_at`. And clocks
differ."""

LOOKS = 2
"""Before all tasks are read anew: people may label between the count and the list."""


class LabeledCopies:
    """Yields what `LabelStudioGateway.labeled` yields, and is quicker from the second time on."""

    def __init__(
        self,
        client: LabelStudioClient,
        copies: TaskCopies,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._copies = copies
        self._now = now

    def __call__(self, project: ProjectId, schema: LabelSchema) -> Iterator[LabeledImage]:
        with errors_translated():
            self._refresh(project)
            for task in self._copies.all(project):
                image = codec.labeled_image(task, schema)
                if image:
                    yield image

    def _refresh(self, project: ProjectId) -> None:
        known = self._copies.known(project)
        for _ in range(LOOKS):
            if known.complete_until is None:
                break
            compared = self._now()
            labeled, changed = self._client.tasks.newest_change(project)
            is_new = changed is not None and changed > known.complete_until
            if is_new:
                tasks = self._changed(project, known.complete_until)
                known = self._completed(project, self._copies.put(project, tasks), compared)
            if known.count == labeled:
                return
            if not is_new:
                break
        compared = self._now()
        all_tasks = self._copied(project, self._client.tasks.labeled(project))
        replaced = self._copies.replace(project, all_tasks, known.newest)
        self._completed(project, replaced, compared)

    def _completed(self, project: ProjectId, known: CopiedTasks, compared: datetime) -> CopiedTasks:
        """Note up to which moment a list that began at `compared` made the copies complete."""
        until = _complete_until(known.newest, compared)
        if until != known.complete_until:
            self._copies.complete(project, until)
        return replace(known, complete_until=until)

    def _changed(self, project: ProjectId, since: datetime) -> Iterator[Json]:
        """List the tasks that changed since; those whose copy is as new are not read again."""
        tasks = self._client.tasks
        changes = tasks.labeled_changes(project, since)
        copied = self._copies.changes(project, since)
        unknown = [task for task, moment in changes.items() if copied.get(TaskId(task)) != moment]
        # as many as one request names, or so few that naming them takes no more requests
        are_few = len(unknown) <= max(IDS_PER_QUERY, len(changes) // 4)
        listed = tasks.labeled(project, since, unknown if are_few else None)
        return self._copied(project, listed)

    def _copied(self, project: ProjectId, listed: Iterator[Json]) -> Iterator[Json]:
        """Prepare tasks for copies; an annotation that was made from a marker refers to none."""
        tasks = (task_without_content(task, project) for task in listed)
        return self._client.markers.without_parents(project, tasks, MARKER_PREFIXES)


def _complete_until(newest: datetime | None, compared: datetime) -> datetime:
    """Return the moment up to which a list that began at `compared` missed no change.

    It stays the same until the newest change is so old that none before it can appear any more.
    """
    if newest is None:
        return compared - MARGIN
    return newest if compared > newest + MARGIN else min(newest, compared) - MARGIN
