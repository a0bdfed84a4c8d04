"""Tabs that list chosen tasks: a marker on each task, and a tab that filters by them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.tab_titles import ListOrder
from backend.domain.version_names import list_edition, list_edition_of, list_place, list_stem
from backend.label_studio.tabs import of_list
from connectors.label_studio.client import LabelStudioClient

CLEARED_AT_ONCE = 50
"""A list of up to so many tasks loses the markers of its last edition at once, because they would
disturb the order. Those of longer lists wait for a deferred cleanup."""


class TaskLists:
    """Shows lists of chosen tasks, and removes markers that no tab uses any more."""

    def __init__(self, client: LabelStudioClient) -> None:
        self._client = client

    def show(
        self, project: ProjectId, title: str, tasks: Sequence[TaskId], order: ListOrder
    ) -> None:
        """Mark the tasks, and only then let the tab list them in place of earlier ones."""
        known = self._client.predictions.versions(project)
        edition = list_edition(title, known)
        markers = [
            (int(task), list_place(edition, position, len(tasks)), None)
            for position, task in enumerate(dict.fromkeys(tasks))
        ]
        self._client.markers.store(project, markers)
        self._client.tabs.ensure(project, [of_list(title, edition, order)])
        earlier = [name for name in known if list_stem(name) == list_stem(markers[0][1])]
        if earlier and len(tasks) <= CLEARED_AT_ONCE:
            self._client.predictions.delete_of_tasks(project, tasks, earlier.__contains__)

    def remove(self, project: ProjectId, title: str) -> None:
        """Delete the tab; its markers are unused from then on."""
        self._client.tabs.remove(project, title)

    def unused(self, project: ProjectId) -> list[VersionName]:
        """Return the model versions of markers by which no tab filters any more."""
        names = [
            name for name in self._client.predictions.versions(project) if list_edition_of(name)
        ]
        used = {
            value
            for tab in (self._client.tabs.all(project) if names else ())
            for value in _filter_values(tab)
        }
        return [VersionName(name) for name in names if list_edition_of(name) not in used]


def _filter_values(tab: Mapping[str, Any]) -> Iterator[str]:
    filters: object = tab["data"].get("filters")
    items = cast("Mapping[str, Any]", filters).get("items") if isinstance(filters, dict) else ()
    for one in items or ():
        value: object = one.get("value")
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        yield from map(str, values)
