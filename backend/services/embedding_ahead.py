"""Embed the images of a project while no job waits, so that the next job finds their features.

First by the encoder that the next training will use, then by the stronger one of the settings.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from backend.domain.errors import Stopped
from backend.domain.ids import ProjectId
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.label_studio import labeling_config
from backend.ports.images import FeatureExtractor
from backend.ports.label_studio import ProjectContents, TaskReader
from backend.ports.progress import Progress
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
        upgrade: the stronger encoder; empty if there is none.
        prepare: gets the encoder of this name ready to run; `Stopped` of its progress ends that.
        is_on: whether to embed by the encoder of the next training, too.
        must_stop: whether a job waits.
        others_wait: whether another project waits for its turn.
        items: what the encoder embeds; projects of others are passed by.
    """

    label_studio: ProjectContents
    extractor: Callable[[], FeatureExtractor]
    upgrade: str
    prepare: Callable[[str, Progress], None]
    must_stop: Callable[[], bool]
    others_wait: Callable[[], bool]
    is_on: bool = True
    clock: Callable[[], float] = time.monotonic
    items: ItemKind = ItemKind.IMAGE

    def __call__(self, project: ProjectId) -> bool:
        """Embed all images of a project; False if it had to make way before it was done.

        Raises:
            NoWeights: when the weights of an encoder are missing.
        """
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        kinds = {one.kind for one in schema.controls}
        if not (self.is_on or self.upgrade) or kinds <= {TaskKind.DETECTION}:
            return True
        if schema.items is not self.items:
            return True
        began, progress = self.clock(), making_way(self.must_stop, self.clock)
        try:
            tasks = project_tasks.take(self.label_studio, project, schema, progress)
            refs = [*(one.image for one in tasks.labeled), *tasks.unlabeled]
            for backbone in self._backbones(kinds):
                self.prepare(backbone, progress)
                for start in range(0, len(refs), CHUNK):
                    self.extractor().extract(refs[start : start + CHUNK], progress, backbone)
                    if self.clock() - began > TURN and self.others_wait():
                        return False
        except Stopped:
            log.info("project %s: embedding ahead makes way for a job", project)
            return False
        log.info("project %s: all %s %s are embedded", project, len(refs), schema.items.plural)
        return True

    def _backbones(self, kinds: Collection[TaskKind]) -> Sequence[str]:
        """Return the encoders to embed by, each once, the one that is needed first at the front."""
        usual = self.extractor().choose(kinds, Algorithm.FAST) if self.is_on else ""
        return [name for name in dict.fromkeys((usual, self.upgrade)) if name]


@dataclass(frozen=True, slots=True)
class NewImages:
    """Requests idle work for a project in which there are more unlabeled tasks than before.

    The first look at a project counts as such. `request` queues the work.
    """

    label_studio: TaskReader
    request: Callable[[ProjectId], None]
    _known: dict[ProjectId, int] = field(default_factory=dict[ProjectId, int])

    def look(self, project: ProjectId) -> None:
        """Count the unlabeled tasks, in one quick call."""
        waiting = self.label_studio.count_unlabeled(project)
        if waiting > self._known.get(project, 0):
            self.request(project)
        self._known[project] = waiting
