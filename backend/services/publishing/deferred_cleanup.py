"""Deferred cleanup: delete superseded predictions and unused markers once nobody waits for a job.

Label Studio deletes 20 to 100 predictions a second, so that a job which waited for it would take
several times as long. A transaction deletes one, or some tens of labeled tasks: deleting a version
at once locks SQLite, and the tasks of the version on PostgreSQL, until the last one is gone, while
annotators cannot submit.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from backend.domain.ids import ProjectId
from backend.ports.label_studio import PredictionEditor, ProjectReader
from backend.ports.stores import Ledgers
from backend.services.publishing.kept_versions import KeptVersions

log = logging.getLogger(__name__)


class CleanedProject(ProjectReader, PredictionEditor, Protocol):
    """A project from which superseded predictions are deleted."""


@dataclass(frozen=True, slots=True)
class DeferredCleanup:
    """Deletes what is superseded. Safe to repeat, and to break off anywhere.

    `must_wait` says whether a job waits, or works on the project: its new predictions are not shown
    yet, and would be taken for superseded ones.
    """

    label_studio: CleanedProject
    kept: KeptVersions
    ledgers: Ledgers
    must_wait: Callable[[ProjectId], bool]

    def __call__(self, project: ProjectId) -> bool:
        """Clean up; False if it had to make way before it was done."""
        if self.must_wait(project):
            return False
        keep, withheld = self.kept(project), self.ledgers.load(project).withheld
        deleted = 0
        for deleted in self.label_studio.delete_superseded(project, keep, withheld):
            if self.must_wait(project):
                log.info("project %s: %s deletions, the rest waits", project, deleted)
                return False
        if deleted:
            log.info("project %s: deleted %s superseded predictions", project, deleted)
        return True
