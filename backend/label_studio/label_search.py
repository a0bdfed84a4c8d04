"""Find the tasks in which some labels may be used, in annotations or predictions.

Label Studio's own filter compares each task with all annotations of the project on SQLite, which
takes minutes after thousands were accepted: docs/decisions/counting-labels-in-requests.md. So
annotations are looked through here, where there are copies of most.
"""

from collections.abc import Callable, Collection, Iterator
from itertools import chain

from backend.domain.ids import Label, ProjectId
from backend.domain.json import Json
from backend.label_studio import result_edit
from connectors.label_studio.client import LabelStudioClient


class LabelSearch:
    """Lists tasks with their annotations and predictions; `labeled` yields those of one project."""

    def __init__(
        self, client: LabelStudioClient, labeled: Callable[[ProjectId], Iterator[Json]]
    ) -> None:
        self._client = client
        self._labeled = labeled

    def __call__(self, project: ProjectId, labels: Collection[Label]) -> Iterator[Json]:
        """List all tasks; with `labels` only those that may have one of them."""
        predicted = self._client.results.predicted(project, labels) if labels else None
        if predicted is None:
            return self._client.results.tasks(project)
        return self._client.results.among(project, self._annotated(project, labels) | predicted)

    def _annotated(self, project: ProjectId, labels: Collection[Label]) -> set[int]:
        """Return the tasks with an annotation, or a skip, that uses one of the labels."""
        wanted = frozenset(labels)
        return {
            task["id"]
            for task in chain(self._labeled(project), self._client.tasks.skips(project))
            for one in task["annotations"]
            if not wanted.isdisjoint(result_edit.labels_of(one["result"]))
        }
