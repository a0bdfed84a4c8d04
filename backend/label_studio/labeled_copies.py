"""Read the labeled tasks of a project, asking Label Studio only for those that changed.

Label Studio takes about 3 ms for each labeled task with its annotations, so that a status would
take seconds in a project with thousands of them. A task's `updated_at` changes whenever one of its
annotations is created, changed or deleted. So the tasks that changed since the last look, and the
number of labeled tasks, tell everything: if the copies are as many as that number afterwards, none
of them has lost its annotations.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from backend.domain.answers import LabeledImage
from backend.domain.ids import ProjectId
from backend.domain.json import Json
from backend.domain.schema import LabelSchema
from backend.domain.version_names import MARKER_PREFIXES
from backend.label_studio import codec
from backend.label_studio.errors import errors_translated
from backend.label_studio.inline_images import task_without_content
from backend.ports.task_copies import TaskCopies
from connectors.label_studio.client import LabelStudioClient

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
        for _ in range(LOOKS if self._copies.count(project) else 0):
            labeled, compared = self._client.tasks.count_labeled(project), self._now()
            since = _since(*self._copies.newest(project))
            self._copies.put(project, self._listed(project, since), compared)
            if self._copies.count(project) == labeled:
                return
        compared = self._now()
        self._copies.replace(project, self._listed(project), compared)

    def _listed(self, project: ProjectId, since: datetime | None = None) -> Iterator[Json]:
        """List labeled tasks; an annotation that was made from a marker refers to none."""
        listed = self._client.tasks.labeled(project, since)
        tasks = (task_without_content(task, project) for task in listed)
        return self._client.markers.without_parents(project, tasks, MARKER_PREFIXES)


def _since(newest: str, compared: datetime) -> datetime:
    """Return the moment from which on there may be changes that the last comparison missed."""
    last = datetime.fromisoformat(newest)
    return last if compared > last + MARGIN else last - MARGIN
