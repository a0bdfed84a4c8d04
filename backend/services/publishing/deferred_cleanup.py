"""Deferred cleanup: delete superseded predictions and unused markers once nobody waits for a job.

Label Studio deletes 20 to 100 predictions a second, so that a job which waited for it would take
several times as long. A transaction deletes one, or some tens of labeled tasks: deleting a version
at once locks SQLite, and the tasks of the version on PostgreSQL, until the last one is gone, while
annotators cannot submit. A submission that meets a transaction waits for it, and on SQLite it may
even fail. So while people label, a cleanup rests most of the time.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from backend.domain.ids import ProjectId
from backend.ports.jobs import AnnotationChanges
from backend.ports.label_studio import PredictionEditor, ProjectReader
from backend.ports.stores import Ledgers
from backend.services.making_way import LOOK_EVERY
from backend.services.publishing.kept_versions import KeptVersions

log = logging.getLogger(__name__)

LABELING = timedelta(seconds=30)
"""Whoever labeled an image so recently is taken to be looking at the next one."""

REST = 4.0
"""How many times as long as a deletion took a cleanup rests while people label. So one of five
submissions meets a deletion, and a cleanup takes five times as long."""


class CleanedProject(ProjectReader, PredictionEditor, Protocol):
    """A project from which superseded predictions are deleted."""


@dataclass(frozen=True, slots=True)
class DeferredCleanup:
    """Deletes what is superseded. Safe to repeat, and to break off anywhere.

    `must_wait` says whether a job waits, or works on the project: its new predictions are not shown
    yet, and would be taken for superseded ones. `changes` tells when somebody labeled last.
    """

    label_studio: CleanedProject
    kept: KeptVersions
    ledgers: Ledgers
    changes: AnnotationChanges
    must_wait: Callable[[ProjectId], bool]
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def __call__(self, project: ProjectId) -> bool:
        """Clean up; False if it had to make way before it was done."""
        if self.must_wait(project):
            return False
        keep, withheld = self.kept(project), self.ledgers.load(project).withheld
        deleted, begun = 0, self.clock()
        for deleted in self.label_studio.delete_superseded(project, keep, withheld):
            if not self._may_go_on(project, self.clock() - begun):
                log.info("project %s: %s deletions, the rest waits", project, deleted)
                return False
            begun = self.clock()
        if deleted:
            log.info("project %s: deleted %s superseded predictions", project, deleted)
        return True

    def _may_go_on(self, project: ProjectId, seconds: float) -> bool:
        """Rest after a deletion of so long if people label; False where it must make way."""
        rest = REST * seconds if self._somebody_labels() else 0.0
        while not self.must_wait(project):
            if rest <= 0:
                return True
            self.pause(min(rest, LOOK_EVERY))
            rest -= LOOK_EVERY
        return False

    def _somebody_labels(self) -> bool:
        """Whether anybody does, in whatever project: SQLite is locked for all of them."""
        changed = (self.changes.read(project).last for project in self.changes.pending())
        return any(last is not None and self.now() - last < LABELING for last in changed)
