"""Review predictions on our own page: what to show next, and what was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from backend.domain.answers import ImageRef, Prediction
from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.reviews import ReviewLabel, ReviewProgress, ReviewScreen
from backend.label_studio import labeling_config
from backend.ports.reviews import ReviewProject, Reviews, Thumbnails
from backend.ports.stores import Ledgers, ProjectOrigins

PER_SCREEN = 24
SPARE = 12
"""Images asked for beyond a screen, in place of those that were labeled elsewhere meanwhile."""

_REMEMBERED = 5000
"""Image addresses kept in memory, so that thumbnails need no request to Label Studio."""


@dataclass(slots=True)
class ImageAddresses:
    """The addresses of the images that were shown last."""

    _known: dict[tuple[ProjectId, TaskId], ImageRef] = field(
        default_factory=dict[tuple[ProjectId, TaskId], ImageRef]
    )
    _lock: Lock = field(default_factory=Lock)

    def remember(self, project: ProjectId, refs: Sequence[ImageRef]) -> None:
        with self._lock:
            self._known |= {(project, ref.task): ref for ref in refs}
            for key in list(self._known)[:-_REMEMBERED]:
                del self._known[key]

    def get(self, project: ProjectId, task: TaskId) -> ImageRef | None:
        with self._lock:
            return self._known.get((project, task))


@dataclass(frozen=True, slots=True)
class Reviewing:
    """Implements `ports.reviews.ReviewPage`."""

    label_studio: ReviewProject
    reviews: Reviews
    ledgers: Ledgers
    thumbnails: Thumbnails
    origins: ProjectOrigins
    addresses: ImageAddresses = field(default_factory=ImageAddresses)

    def labels(self, project: ProjectId) -> Sequence[ReviewLabel]:
        return self.reviews.labels(project)

    def version(self, project: ProjectId) -> VersionName | None:
        return self.reviews.version(project)

    def account(self) -> str:
        return self.label_studio.account()

    def screen(
        self, project: ProjectId, label: Label | None, at_least: float, skip: int
    ) -> Sequence[Prediction]:
        """Return the next images; those that were labeled meanwhile, or are audited, are dropped.

        A screen may be short, and is empty only where nothing is left.
        """
        version = self.reviews.version(project)
        ask = partial(self.reviews.undecided, project, label, at_least, skip, PER_SCREEN + SPARE)
        while version and (tasks := ask()):
            found = self._waiting(project, version, tasks)
            gone = [task for task in tasks if task not in found]
            self.reviews.drop(project, gone)
            if found:
                shown = [found[task] for task in tasks if task in found][:PER_SCREEN]
                self.addresses.remember(project, [one.image for one in shown])
                return shown
        return []

    def decide(self, project: ProjectId, screen: ReviewScreen) -> None:
        version = self.reviews.version(project)
        if screen.version != version:
            raise BadInput(
                f"these predictions are of {screen.version}, and {version or 'none'} is shown now",
                "Reload the page: a job has predicted the images again",
            )
        audited = self.ledgers.load(project).withheld.intersection(screen.decisions)
        if audited:
            raise BadInput(f"task {min(audited)} is audited, so nobody may see its prediction")
        self.reviews.decide(project, screen)

    def reopen(
        self, project: ProjectId, *, screen: str | None = None, label: Label | None = None
    ) -> int:
        return self.reviews.reopen(project, screen=screen, label=label)

    def progress(self, project: ProjectId) -> ReviewProgress:
        return self.reviews.progress(project)

    def thumbnail(self, project: ProjectId, task: TaskId) -> Path:
        ref = self.addresses.get(project, task)
        if ref is None:
            schema = labeling_config.parse(self.label_studio.project(project).label_config)
            ref = next(iter(self.label_studio.refs(project, schema, [task])), None)
        if ref is None:
            raise NotFound(f"project {project} has no task {task}")
        return self.thumbnails.path(project, ref)

    def _waiting(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, Prediction]:
        found = self.label_studio.project(project)
        self.origins.require(found)
        schema = labeling_config.parse(found.label_config)
        withheld = self.ledgers.load(project).withheld
        shown = [task for task in tasks if task not in withheld]
        return self.label_studio.waiting_predictions(project, schema, version, shown)
