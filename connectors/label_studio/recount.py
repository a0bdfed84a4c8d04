"""Find tasks whose annotations Label Studio has miscounted, and make it count anew.

After a bulk import Label Studio recounts the annotations of all tasks: it reads a thousand tasks,
then writes their numbers. What somebody submits in between is overwritten with the number before.
A bulk action on a locked SQLite may not count at all, and a process in which a project was deleted
no longer counts what is deleted (docs/decisions/deferred-cleanup.md). Such tasks have an annotation
and are listed as unlabeled, or have none and are listed as labeled, until the next import.
"""

import logging

from connectors.label_studio.filters import where
from connectors.label_studio.markers import marker_row
from connectors.label_studio.prediction_import import PredictionImport
from connectors.label_studio.predictions import Predictions
from connectors.label_studio.send_once import SendOnce
from connectors.label_studio.tasks import UNTOUCHED, Tasks

log = logging.getLogger(__name__)

_SETTLED_AFTER = 3.0
"""Seconds after which a submission that is being stored has been counted."""

_MISCOUNTED = (
    [*UNTOUCHED, where("annotators", "empty", "False")],
    [where("total_annotations", "greater", 0), where("annotators", "empty", "True")],
)


class Recount:
    """Repairs the counts of a project."""

    def __init__(
        self,
        tasks: Tasks,
        predictions: Predictions,
        prediction_import: PredictionImport,
        send_once: SendOnce,
    ) -> None:
        self._tasks = tasks
        self._predictions = predictions
        self._import = prediction_import
        self._send_once = send_once

    def __call__(self, project: int, version: str) -> int:
        """Let all tasks be counted if one is wrong; returns how many were.

        Imports an empty prediction of `version` on each of these tasks, which makes Label Studio
        count, and deletes them. By a switch of its own, it counts the tasks of the import only.
        """
        if not self._miscounted(project):
            return 0
        self._send_once.pause(_SETTLED_AFTER)
        if miscounted := self._miscounted(project):
            log.warning("project %s: %s tasks were miscounted", project, len(miscounted))
            self._import.store(project, [marker_row(task, version) for task in sorted(miscounted)])
            self._predictions.delete_of_tasks(project, miscounted, lambda name: name == version)
        return len(miscounted)

    def _miscounted(self, project: int) -> set[int]:
        return {
            row["id"]
            for filters in _MISCOUNTED
            for row in self._tasks.matching(project, filters, ("id",))
        }
