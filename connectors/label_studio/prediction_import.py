"""Bulk import of predictions that loses nothing, doubles nothing, and says what was refused."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import Rejected, Unreachable
from connectors.label_studio.calls import batches
from connectors.label_studio.predictions import Predictions
from connectors.label_studio.validation import Validator

logger = logging.getLogger(__name__)

_SECONDS = 300.0
_ATTEMPTS = 5
_SETTLING = (0.0, 1.0, 2.0, 4.0)
"""Waits in seconds before an import that broke off counts as lost: it may still be running."""

DELETED = "the task is no longer in the project"

Prediction = Mapping[str, Any]
"""`task`, `model_version`, `score` in [0, 1] and `result`."""


@dataclass(frozen=True, slots=True)
class Imported:
    """How many predictions were stored, and which tasks' were not: (task id, reason)."""

    created: int = 0
    dropped: tuple[tuple[int, str], ...] = ()

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(self.created + other.created, self.dropped + other.dropped)


class PredictionImport(Predictions):
    """Stores predictions in bulk.

    `import_size` is large since each import costs Label Studio a recount of the whole project.
    """

    import_size = 2000

    def import_predictions(self, project: int, predictions: Sequence[Prediction]) -> Imported:
        """Store predictions; one that cannot be taken costs only itself.

        Send only tasks that do not carry a prediction of the version yet: after a connection
        broke, those that carry one count as stored.

        Raises:
            Rejected: when Label Studio refuses all for another reason than a task that is gone.
        """
        total = Imported()
        for batch in batches(predictions, self.import_size):
            total += self._import_batch(project, batch)
        return total

    def _import_batch(self, project: int, batch: Sequence[Prediction]) -> Imported:
        done, left = Imported(), batch
        attempts = 0
        while left:
            if attempts == _ATTEMPTS:
                raise Unreachable(f"predictions of project {project} could not be stored")
            attempts += 1
            try:
                created = self._import_once(project, left)
            except Unreachable as exc:
                stored = self._arrived(project, left)
                logger.warning("project %s: %s; %s stored", project, exc.message, len(stored))
                done, left = done + Imported(len(stored)), _without(left, stored)
            except Rejected as exc:
                gone = self._gone(project, left, exc)
                done += Imported(0, tuple((task, DELETED) for task in sorted(gone)))
                left = _without(left, gone)
            else:
                return done + self._counted(project, left, created)
        return done

    def _import_once(self, project: int, predictions: Sequence[Prediction]) -> int:
        answer = self._object(
            "POST",
            f"/api/projects/{project}/import/predictions",
            json=list(predictions),
            timeout=_SECONDS,
        )
        return int(answer["created"])

    def _arrived(self, project: int, sent: Sequence[Prediction]) -> set[int]:
        """Tasks of an import that broke off whose predictions are stored after all."""
        for seconds in _SETTLING:
            self.http.pause(seconds)
            if stored := self._stored(project, sent):
                return stored
        return set()

    def _stored(self, project: int, sent: Sequence[Prediction]) -> set[int]:
        tasks = _tasks(sent)
        between = (min(tasks), max(tasks))
        versions = {str(one["model_version"]) for one in sent}
        carrying = (self.predicted_task_ids(project, version, between) for version in versions)
        return tasks & set[int]().union(*carrying)

    def _gone(self, project: int, sent: Sequence[Prediction], refusal: Rejected) -> set[int]:
        tasks = _tasks(sent)
        gone = tasks - {row["id"] for row in self.tasks_by_id(project, tasks)}
        if not gone:  # the refusal quotes the prediction, so its words are not repeated
            raise Rejected(f"Label Studio refused predictions of project {project}") from refusal
        return gone

    def _counted(self, project: int, sent: Sequence[Prediction], created: int) -> Imported:
        """Label Studio leaves out invalid predictions without a word; find which, and why."""
        if created == len(sent):
            return Imported(created)
        dropped = _without(sent, self._stored(project, sent))
        validator = Validator(self.project(project)["label_config"])
        reasons = ((int(one["task"]), validator.reason(one) or "refused") for one in dropped)
        return Imported(created, tuple(reasons))


def _tasks(predictions: Iterable[Prediction]) -> set[int]:
    return {int(one["task"]) for one in predictions}


def _without(predictions: Sequence[Prediction], tasks: set[int]) -> Sequence[Prediction]:
    return [one for one in predictions if one["task"] not in tasks]
