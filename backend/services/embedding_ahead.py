"""Embed a project by the stronger encoder of the settings while no job waits."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from backend.domain.errors import Stopped
from backend.domain.ids import ProjectId
from backend.domain.schema import TaskKind
from backend.label_studio import labeling_config
from backend.ports.images import FeatureExtractor
from backend.ports.label_studio import ProjectContents
from backend.services import project_tasks
from backend.services.making_way import making_way

log = logging.getLogger(__name__)

CHUNK = 1000
"""Images embedded at a time, so that the features of a large project are never held in memory."""

TURN = 300.0
"""Seconds after which another project may go on."""


@dataclass(frozen=True, slots=True)
class EmbeddingAhead:
    """Fills the feature cache. Safe to repeat and to kill: it goes on with what is missing.

    Attributes:
        backbone: the encoder; empty if there is none.
        must_stop: whether a job waits.
        others_wait: whether another project waits for its turn.
    """

    label_studio: ProjectContents
    extractor: Callable[[], FeatureExtractor]
    backbone: str
    must_stop: Callable[[], bool]
    others_wait: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic

    def __call__(self, project: ProjectId) -> bool:
        """Embed all images of a project; False if it had to make way before it was done.

        Raises:
            NoWeights: when the weights of the encoder are missing.
        """
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        if not self.backbone or {one.kind for one in schema.controls} <= {TaskKind.DETECTION}:
            return True
        began, progress = self.clock(), making_way(self.must_stop, self.clock)
        try:
            tasks = project_tasks.take(self.label_studio, project, schema, progress)
            refs = [*(one.image for one in tasks.labeled), *tasks.unlabeled]
            for start in range(0, len(refs), CHUNK):
                self.extractor().extract(refs[start : start + CHUNK], progress, self.backbone)
                if self.clock() - began > TURN and self.others_wait():
                    return False
        except Stopped:
            log.info("project %s: %s makes way for a job", project, self.backbone)
            return False
        log.info("project %s: %s has embedded %s images", project, self.backbone, len(refs))
        return True
