"""Predictions of ours that newer ones superseded, and the ways to delete them.

Label Studio 1.23 updates the counters of a task before it deletes each of its predictions. By
version that takes 10 ms of processor time each, in one transaction; by id 40 ms, in one each. The
first is for few predictions, the second for many: nobody can submit annotations meanwhile. Many
that are the only ones of their tasks, which have labels, are deleted by task, 50 in a transaction.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from backend.domain.ids import ProjectId, TaskId
from backend.domain.version_names import VERSION_NAME, list_edition_of
from connectors.label_studio.calls import batches
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.predictions import AT_ONCE

_NAMES_AT_ONCE = 90
"""Model versions that one filter may name."""


class Superseded:
    """Finds and deletes predictions of versions that are not to be kept."""

    def __init__(self, client: LabelStudioClient) -> None:
        self._predictions = client.predictions

    def versions(
        self, project: ProjectId, keep: Collection[str], max_age: float = 0.0
    ) -> Mapping[str, int]:
        """Return how many predictions there are of each superseded version.

        With `max_age`, in seconds, what was asked for before will do.
        """
        found = self._predictions.versions(project, max_age)
        return {
            name: count
            for name, count in found.items()
            if VERSION_NAME.fullmatch(name) and name not in keep
        }

    def delete_versions(
        self, project: ProjectId, keep: Collection[str], spare: Sequence[TaskId]
    ) -> None:
        """Delete whole versions, except the newest that a task of `spare` has nothing else of."""
        superseded = set(self.versions(project, keep))
        superseded -= self._needed(project, spare, keep, superseded)
        for version in sorted(superseded):
            self._predictions.delete_version(project, version)

    def delete_singly(
        self,
        project: ProjectId,
        keep: Collection[str],
        withheld: Collection[TaskId],
        unused: Sequence[str],
    ) -> Iterator[int]:
        """Delete markers named in `unused`, then predictions; yields their number.

        Markers come first, since they disturb the order of tabs that people look at. Predictions
        that are the only ones of their tasks are deleted some at once, the others by their ids.
        """
        deleted = 0
        for stale in (set(unused), set(self.versions(project, keep))):
            for count in self._delete(project, stale, keep, withheld):
                deleted += count
                yield deleted

    def _delete(
        self,
        project: ProjectId,
        stale: Collection[str],
        keep: Collection[str],
        withheld: Collection[TaskId],
    ) -> Iterator[int]:
        """Delete what is stale; yields the number of each deletion."""
        only = dict[int, Sequence[int]]()
        for task in self._with_any(project, stale):
            doomed = _doomed(task, keep, withheld, stale)
            if len(doomed) == len(task["predictions"]) == 1:
                only[task["id"]] = doomed
            else:
                for prediction in doomed:
                    self._predictions.delete(prediction)
                    yield 1
            if len(only) == AT_ONCE:
                self._predictions.delete_all(project, only)
                yield len(only)
                only = {}
        if only:
            self._predictions.delete_all(project, only)
            yield len(only)

    def _with_any(self, project: ProjectId, stale: Collection[str]) -> Iterator[Mapping[str, Any]]:
        """Yield the tasks with a prediction of these versions."""
        stems = sorted({list_edition_of(name) or name for name in stale})
        for part in batches(stems, _NAMES_AT_ONCE):
            yield from self._predictions.of_tasks_with(project, part)

    def _needed(
        self,
        project: ProjectId,
        spare: Sequence[TaskId],
        kept: Collection[str],
        superseded: Collection[str],
    ) -> set[str]:
        """Return the newest superseded versions of tasks that have no prediction of a kept one."""
        needed = set[str]()
        if not superseded:
            return needed
        for versions in self._predictions.versions_of_tasks(project, spare):
            if versions.isdisjoint(kept):
                needed |= set(sorted(versions.intersection(superseded))[-1:])
            if len(needed) == len(superseded):
                break
        return needed


def _doomed(
    task: Mapping[str, Any],
    keep: Collection[str],
    withheld: Collection[TaskId],
    stale: Collection[str],
) -> Sequence[int]:
    """Return the ids of the predictions of a task to delete."""
    found = {one["id"]: one["model_version"] or "" for one in task["predictions"]}
    doomed = [number for number, version in found.items() if version in stale]
    is_open = not task["total_annotations"] and not task["cancelled_annotations"]
    if is_open and task["id"] not in withheld and not set(keep).intersection(found.values()):
        own = [number for number in doomed if VERSION_NAME.fullmatch(found[number])]
        newest = max(own, key=lambda number: found[number], default=None)
        return [number for number in doomed if number != newest]
    return doomed
