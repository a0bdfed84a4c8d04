"""Show what to label first: typical images of a project that lacks the labels for a training."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.domain.errors import AutolabelError, Stopped
from backend.domain.ids import ProjectId
from backend.domain.projects import ProjectStatus
from backend.domain.tab_titles import TabTitle
from backend.domain.task_lists import TaskList
from backend.domain.version_names import list_edition
from backend.label_studio import labeling_config
from backend.policies.first_training import images_offered
from backend.policies.preconditions import Minimum
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress
from backend.ports.stores import FirstWalls, Ledgers
from backend.services import project_tasks, suggestions
from backend.services.making_way import making_way
from backend.services.project_tasks import ProjectTasks
from backend.services.suggestions import SuggestingProject
from backend.services.training.dataset import load_dataset

log = logging.getLogger(__name__)

SAMPLE = 2000
"""Images of a larger project that are looked at, drawn at random: a person waits for the wall."""


@dataclass(frozen=True, slots=True)
class FirstWall:
    """Makes the tab `Label next` of a new project; an idle worker calls it. Safe to repeat.

    The features stay in the cache, so the first training need not embed these images. A training
    puts a list of its own in place of this one.

    Attributes:
        status: counts the labels of a project.
        must_stop: whether a job waits.
    """

    label_studio: SuggestingProject
    extractor: Callable[[], FeatureExtractor]
    ledgers: Ledgers
    walls: FirstWalls
    status: Callable[[ProjectId], ProjectStatus]
    minimum: Minimum
    seed: int
    must_stop: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic

    def __call__(self, project: ProjectId) -> bool:
        """Make the wall if it is missing; False if it had to make way before it was done."""
        try:
            if self._is_due(project):
                self._show(project, making_way(self.must_stop, self.clock))
        except Stopped:
            log.info("project %s: what to label first makes way for a job", project)
            return False
        except AutolabelError as exc:
            log.warning("project %s: what to label first cannot be shown: %s", project, exc)
        return True

    def _is_due(self, project: ProjectId) -> bool:
        """Whether a connected project lacks labels for a training, and has no list of this kind."""
        if not self.walls.is_wanted(project) or self._is_listed(project):
            return False
        status = self.status(project)
        is_idle = status.version is None and status.job is None
        return is_idle and bool(status.missing and status.unlabeled)

    def _is_listed(self, project: ProjectId) -> bool:
        """Whether somebody has asked for what to label next."""
        title = TabTitle.NEXT_PICKS
        (draft,) = self.label_studio.draft_lists(project, [TaskList(title, ())])
        return draft.edition != list_edition(title, ())

    def _show(self, project: ProjectId, progress: Progress) -> None:
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        tasks = project_tasks.take(self.label_studio, project, schema, progress)
        dataset, unreadable = load_dataset(
            self.extractor(), schema, self._sample(tasks), self.ledgers.load(project), progress
        )
        count = images_offered(schema, self.minimum)
        picks = suggestions.choose(dataset, None, count, self.seed)
        suggestions.show(self.label_studio, project, picks, schema.items)
        self.walls.remember(project)
        log.info(
            "project %s: %s tasks to label first, %s unreadable",
            project,
            len(picks),
            len(unreadable),
        )

    def _sample(self, tasks: ProjectTasks) -> ProjectTasks:
        """Keep as many unlabeled tasks as are looked at."""
        waiting = [ref.task for ref in tasks.unlabeled]
        if len(waiting) <= SAMPLE:
            return tasks
        rng = np.random.default_rng(self.seed)
        return tasks.only(waiting[int(row)] for row in rng.permutation(len(waiting))[:SAMPLE])
