"""Tabs that list chosen tasks: a marker on each task, and a tab that filters by them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from backend.domain.ids import ProjectId, VersionName
from backend.domain.task_lists import ListDraft, TaskList
from backend.domain.version_names import list_edition, list_edition_of
from backend.label_studio.tabs import of_list
from backend.policies.first_training import MOST_OFFERED
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.markers import marker_row

CLEARED_AT_ONCE = MOST_OFFERED
"""So many markers of earlier editions are deleted at once, in a few seconds, because tabs that are
ordered by model versions or results of predictions take those of markers into account. It is a
whole wall of what to label first: a training removes it. More wait for a cleanup."""


class TaskLists:
    """Shows lists of chosen tasks, and removes markers that no tab uses any more."""

    def __init__(self, client: LabelStudioClient) -> None:
        self._client = client

    def draft(self, project: ProjectId, lists: Sequence[TaskList]) -> Sequence[ListDraft]:
        """Name a new edition of each list."""
        known = self._client.predictions.versions(project) if lists else {}
        return [ListDraft(one, list_edition(one.title, known)) for one in lists]

    def mark(self, project: ProjectId, draft: ListDraft) -> None:
        """Create the markers of a list alone."""
        self._client.markers.store(
            project, [(int(task), name, None) for task, name in draft.markers]
        )

    def show(self, project: ProjectId, draft: ListDraft, *, tidy: bool = True) -> None:
        """Let the tab list the marked tasks in place of earlier ones; without any, delete it.

        Unless it is to `tidy`, the markers of earlier editions are left to a cleanup.
        """
        shown = draft.tasks
        if shown.tasks:
            tab = of_list(shown.title, draft.edition, shown.order, wall=shown.wall)
            self._client.tabs.ensure(project, [tab])
        else:
            self._client.tabs.remove(project, shown.title)
        if tidy:
            self._clear_earlier(project, draft)

    def _clear_earlier(self, project: ProjectId, draft: ListDraft) -> None:
        """Delete the markers of earlier editions if they are few."""
        stem = draft.edition[:-5]
        known = self._client.predictions.versions(project)
        earlier = {
            name: count
            for name, count in known.items()
            if name.startswith(stem) and not name.startswith(draft.edition)
        }
        if not 0 < sum(earlier.values()) <= CLEARED_AT_ONCE:
            return
        marked = [task["id"] for task in self._client.predictions.of_tasks_with(project, [stem])]
        self._client.predictions.delete_of_tasks(project, marked, earlier.__contains__)

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


def marker_rows(drafts: Sequence[ListDraft]) -> list[dict[str, Any]]:
    """Return the markers of these lists, as predictions to import."""
    return [marker_row(int(task), name) for draft in drafts for task, name in draft.markers]
