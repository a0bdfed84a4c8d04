"""Read the labeled tasks of a project, asking Label Studio only for those that changed.

Label Studio takes about 3 ms for each labeled task with its annotations, so that a status would
take seconds in a project with thousands of them. A task's `updated_at` changes whenever one of its
annotations is created, changed or deleted. So the tasks that changed since the last look, and the
number of labeled tasks, tell everything: if the copies are as many as that number afterwards, none
of them has lost its annotations; if not, all are compared as for a job. One call tells that number
and the newest change; where there are any, a second one tells which tasks changed, and only those
that no copy shows are read. For some minutes after a job accepted thousands of labels, all of these
count as just changed. Then those newer than the copies are listed, and the others counted: a change
that appeared late among them would make them more, unless its task had changed before. Such a one
is read three minutes later.

A job must not learn from a label that is gone. Some actions of Label Studio move annotations to
another task, add some, or change the data without a change of `updated_at`. So for a job all
labeled tasks are listed with their data and the numbers of their annotations, which takes a
quarter of the time, and only the annotations of those that differ from the copies are read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Lock

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

MANY = 1000
"""Changes of which a second list would take longer than to count them."""

COUNTED = 2 * MARGIN
"""For so long after the moment up to which copies are complete, many changes are counted only."""

COMPARED_AT_ONCE = 500
"""Tasks whose copies are compared with what Label Studio lists; then a stop is heard again."""


@dataclass(frozen=True, slots=True)
class _Changes:
    """When tasks changed after `since`; `copied` has the same of their copies.

    `are_all` says that none before was only counted.
    """

    since: datetime
    moments: Mapping[int, datetime]
    copied: Mapping[TaskId, datetime]
    are_all: bool = True

    @property
    def unknown(self) -> list[int]:
        """The tasks whose copies are missing or older."""
        return [
            task for task, moment in self.moments.items() if self.copied.get(TaskId(task)) != moment
        ]


class LabeledCopies:
    """Reads labeled tasks through copies of them, so it is quicker from the second time on.

    Called, it yields the labels for a status; `compared` yields the tasks for a job.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        copies: TaskCopies,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._copies = copies
        self._now = now
        self._turns = defaultdict[ProjectId, Lock](Lock)

    def __call__(self, project: ProjectId, schema: LabelSchema) -> Iterator[LabeledImage]:
        self.refresh(project)
        yield from codec.labeled_images(self._copies.all(project), schema)

    def refresh(self, project: ProjectId) -> None:
        """Read the labels that changed, so that whoever asks next need not wait for them.

        Threads that ask at the same time wait for the first one.
        """
        with self._turns[project], errors_translated():
            self._refresh(project)

    def compared(self, project: ProjectId) -> Iterator[Json]:
        """Yield all labeled tasks in Label Studio's JSON, each copy compared with its task.

        Without copies it reads all, and makes them.
        """
        if not self._copies.known(project).count:
            for tasks in _in_parts(self._copied(project, self._client.tasks.labeled(project))):
                self._copies.put(project, tasks)
                yield from tasks
            return
        for tasks in _in_parts(self._client.tasks.labeled_summaries(project)):
            found = self._up_to_date(project, tasks)
            for task in tasks:
                if copy := found.get(task["id"]):
                    data = task_without_content(task, project)["data"]
                    yield {**copy, "data": data}

    def keep(self, project: ProjectId, tasks: Sequence[Json]) -> None:
        """Keep labeled tasks that were just read; no marker may be the parent of an annotation."""
        self._copies.put(project, [task_without_content(task, project) for task in tasks])

    def _up_to_date(self, project: ProjectId, tasks: Sequence[Json]) -> Mapping[TaskId, Json]:
        """Return the copies of listed tasks, read anew where they differ. All lie in one range.

        One that lost its annotations since it was listed has none.
        """
        first, last = tasks[0]["id"], tasks[-1]["id"]
        copies = self._copies.between(project, first, last)
        same = {task["id"] for task in tasks if _is_of(copies.get(task["id"]), task)}
        others = [task["id"] for task in tasks if task["id"] not in same]
        if not others:
            return copies
        label_studio = self._client.tasks
        if len(others) <= max(IDS_PER_QUERY, len(tasks) // 4):
            listed = label_studio.labeled(project, ids=others)
        else:
            listed = label_studio.labeled(project, between=(first, last))
        read = list(self._copied(project, listed))
        self._copies.put(project, read)
        return {task: copies[task] for task in same} | {task["id"]: task for task in read}

    def _refresh(self, project: ProjectId) -> None:
        known = self._copies.known(project)
        for _ in range(LOOKS):
            if known.complete_until is None:
                break
            compared = self._now()
            labeled, changed = self._client.tasks.newest_change(project)
            is_new = changed is not None and changed > known.complete_until
            if is_new:
                changes = self._changes(project, known, known.complete_until, compared)
                for tasks in _in_parts(self._changed(project, changes)):
                    self._copies.put(project, tasks)  # kept if this breaks off
                known = self._copies.known(project)
                if changes.are_all:
                    known = self._completed(project, known, compared)
            if known.count == labeled:
                return
            if not is_new:
                break
        compared = self._now()
        labeled_tasks = {task["id"] for task in self.compared(project)}
        kept = self._copies.retain(project, labeled_tasks, known.newest)
        self._completed(project, kept, compared)

    def _completed(self, project: ProjectId, known: CopiedTasks, compared: datetime) -> CopiedTasks:
        """Note up to which moment a list that began at `compared` made the copies complete."""
        until = _complete_until(known.newest, compared)
        if until != known.complete_until:
            self._copies.complete(project, until)
        return replace(known, complete_until=until)

    def _changes(
        self, project: ProjectId, known: CopiedTasks, since: datetime, compared: datetime
    ) -> _Changes:
        """List what changed since the copies were complete; only count it where most is copied."""
        tasks, copied = self._client.tasks, self._copies.changes(project, since)
        if known.newest and len(copied) >= MANY and compared < since + COUNTED:
            # counted first: what changes in between is listed
            count = tasks.count_labeled_changes(project, since)
            newer = tasks.labeled_changes(project, known.newest)
            if count <= len(copied.keys() | newer.keys()):
                return _Changes(known.newest, newer, copied, are_all=False)
        return _Changes(since, tasks.labeled_changes(project, since), copied)

    def _changed(self, project: ProjectId, changes: _Changes) -> Iterator[Json]:
        """List the tasks that changed; those whose copy is as new are not read again."""
        unknown = changes.unknown
        # as many as one request names, or so few that more requests for them take less time
        are_few = len(unknown) <= max(IDS_PER_QUERY, len(changes.moments) // 2)
        listed = self._client.tasks.labeled(project, changes.since, unknown if are_few else None)
        return self._copied(project, listed)

    def _copied(self, project: ProjectId, listed: Iterator[Json]) -> Iterator[Json]:
        """Prepare tasks for copies; an annotation that was made from a marker refers to none."""
        tasks = (task_without_content(task, project) for task in listed)
        return self._client.markers.without_parents(project, tasks, MARKER_PREFIXES)


def _in_parts(tasks: Iterator[Json]) -> Iterator[list[Json]]:
    while part := list(islice(tasks, COMPARED_AT_ONCE)):
        yield part


def _is_of(copy: Json | None, task: Json) -> bool:
    """Return whether a copy has the annotations that a task is listed with."""
    if copy is None or copy["updated_at"] != task["updated_at"]:
        return False
    return len(copy["annotations"]) == task["total_annotations"] + task["cancelled_annotations"]


def _complete_until(newest: datetime | None, compared: datetime) -> datetime:
    """Return the moment up to which a list that began at `compared` missed no change.

    It stays the same until the newest change is so old that none before it can appear any more.
    """
    if newest is None:
        return compared - MARGIN
    return newest if compared > newest + MARGIN else min(newest, compared) - MARGIN
