"""Import predictions in bulk: none lost, none stored twice, and a reason for each refused one."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import Rejected, Unreachable
from connectors.label_studio.calls import Calls, batches
from connectors.label_studio.projects import Projects
from connectors.label_studio.tasks import Tasks
from connectors.label_studio.validation import Validator

log = logging.getLogger(__name__)

_SECONDS = 300.0
_ATTEMPTS = 5
_SETTLING = (0.0, 1.0, 2.0, 4.0)
"""Waits, in seconds, before a failed import counts as lost: it may still be running."""

DELETED = "the task is no longer in the project"

Prediction = Mapping[str, Any]
"""`task`, `model_version`, `score` in [0, 1] and `result`."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The number of stored predictions, and (task id, reason) of each one that was not stored."""

    created: int = 0
    dropped: tuple[tuple[int, str], ...] = ()

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(self.created + other.created, self.dropped + other.dropped)


class PredictionImport:
    """Stores predictions in bulk.

    `batch_size` is large because Label Studio recounts the whole project after each import.
    """

    batch_size = 2000

    def __init__(self, calls: Calls, tasks: Tasks, projects: Projects) -> None:
        self._calls = calls
        self._tasks = tasks
        self._projects = projects

    def store(self, project: int, predictions: Sequence[Prediction]) -> Imported:
        """Store predictions; an invalid one is dropped and does not affect the others.

        Send only tasks that have no prediction of the version yet: when the connection breaks,
        tasks that have one count as stored.

        Raises:
            Rejected: when Label Studio refuses a batch and none of its tasks was deleted.
        """
        total = Imported()
        for batch in batches(predictions, self.batch_size):
            total += self._store_batch(project, batch)
        return total

    def _store_batch(self, project: int, batch: Sequence[Prediction]) -> Imported:
        done, left = Imported(), batch
        attempts = 0
        while left:
            if attempts == _ATTEMPTS:
                raise Unreachable(f"predictions of project {project} could not be stored")
            attempts += 1
            try:
                created = self._post(project, left)
            except Unreachable as exc:
                stored = self._wait_for_stored(project, left)
                log.warning("project %s: %s; %s stored", project, exc.message, len(stored))
                done, left = done + Imported(len(stored)), _without(left, stored)
            except Rejected as exc:
                deleted = self._deleted(project, left, exc)
                done += Imported(0, tuple((task, DELETED) for task in sorted(deleted)))
                left = _without(left, deleted)
            else:
                return done + self._counted(project, left, created)
        return done

    def _post(self, project: int, predictions: Sequence[Prediction]) -> int:
        answer = self._calls.object(
            "POST",
            f"/api/projects/{project}/import/predictions",
            json=list(predictions),
            timeout=_SECONDS,
        )
        return int(answer["created"])

    def _wait_for_stored(self, project: int, sent: Sequence[Prediction]) -> set[int]:
        """Tasks whose predictions were stored although the request failed."""
        for seconds in _SETTLING:
            self._calls.http.pause(seconds)
            if stored := self._stored(project, sent):
                return stored
        return set()

    def _stored(self, project: int, sent: Sequence[Prediction]) -> set[int]:
        tasks = _task_ids(sent)
        between = (min(tasks), max(tasks))
        versions = {str(one["model_version"]) for one in sent}
        found = (self._tasks.predicted_ids(project, version, between) for version in versions)
        return tasks & set[int]().union(*found)

    def _deleted(self, project: int, sent: Sequence[Prediction], refusal: Rejected) -> set[int]:
        """Tasks that do not exist any more. Raises Rejected if all do."""
        tasks = _task_ids(sent)
        deleted = tasks - {row["id"] for row in self._tasks.by_id(project, tasks)}
        if not deleted:  # the refusal quotes the predictions, so its text is not repeated
            raise Rejected(f"Label Studio refused predictions of project {project}") from refusal
        return deleted

    def _counted(self, project: int, sent: Sequence[Prediction], created: int) -> Imported:
        """Find the predictions that Label Studio dropped without an error, and the reasons."""
        if created == len(sent):
            return Imported(created)
        dropped = _without(sent, self._stored(project, sent))
        validator = Validator(self._projects.get(project)["label_config"])
        reasons = ((int(one["task"]), validator.reason(one) or "refused") for one in dropped)
        return Imported(created, tuple(reasons))


def _task_ids(predictions: Iterable[Prediction]) -> set[int]:
    return {int(one["task"]) for one in predictions}


def _without(predictions: Sequence[Prediction], tasks: set[int]) -> Sequence[Prediction]:
    return [one for one in predictions if one["task"] not in tasks]
