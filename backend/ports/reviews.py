"""What the review page needs: an index of predicted images, decisions, and Label Studio."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from backend.domain.answers import ImageRef, Prediction
from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.reviews import (
    ReviewImage,
    ReviewLabel,
    ReviewProgress,
    ReviewScreen,
    UnsavedReview,
)
from backend.ports.label_studio import (
    PredictionAcceptor,
    PredictionEditor,
    ProjectReader,
    ReviewedPredictions,
    TaskReader,
)


class ReviewIndex(Protocol):
    """The predicted images of each project, in the data folder."""

    def index(
        self, project: ProjectId, version: VersionName, images: Iterable[ReviewImage]
    ) -> None:
        """Replace the indexed images of a project by these; decisions stay. Raises OutOfSpace."""
        ...

    def labels(self, project: ProjectId) -> Sequence[ReviewLabel]:
        """Return the labels of the undecided images, the most frequent first."""
        ...

    def version(self, project: ProjectId) -> VersionName | None:
        """Return the version whose predictions are indexed."""
        ...

    def undecided(
        self, project: ProjectId, label: Label | None, at_least: float, skip: int, limit: int
    ) -> Sequence[TaskId]:
        """Return undecided images, the surest first.

        Those whose decision is still being taken back in Label Studio are left out.
        """
        ...

    def drop(self, project: ProjectId, tasks: Collection[TaskId]) -> None:
        """Forget images that need no review any more."""
        ...


class ReviewDecisions(Protocol):
    """What people decided, written before Label Studio hears of it."""

    def decide(self, project: ProjectId, screen: ReviewScreen) -> None:
        """Note the decisions of a screen; a later one about the same image replaces it."""
        ...

    def reopen(
        self, project: ProjectId, *, screen: str | None = None, label: Label | None = None
    ) -> int:
        """Take the decisions of one screen, or about one label, back; returns their number."""
        ...

    def projects(self) -> Sequence[ProjectId]:
        """Return the projects that have decisions."""
        ...

    def unsaved(self, project: ProjectId, limit: int) -> Sequence[UnsavedReview]:
        """Return decisions that Label Studio does not show yet, or may not, the oldest first."""
        ...

    def unsaved_versions(self, project: ProjectId) -> frozenset[VersionName]:
        """Return the versions that these are about, whose predictions are still needed."""
        ...

    def begin(self, project: ProjectId, batch: str, reviews: Sequence[UnsavedReview]) -> None:
        """Note that a bulk call about these begins, in case that its outcome gets lost."""
        ...

    def saved(
        self,
        project: ProjectId,
        review: UnsavedReview,
        annotation: int | None,
        problem: str = "",
    ) -> None:
        """Note that Label Studio shows what this review wanted, or why it never will."""
        ...

    def progress(self, project: ProjectId) -> ReviewProgress: ...


class Reviews(ReviewIndex, ReviewDecisions, Protocol):
    """Index and decisions."""


class ReviewProject(
    ProjectReader,
    TaskReader,
    PredictionEditor,
    PredictionAcceptor,
    ReviewedPredictions,
    Protocol,
):
    """A project whose predictions people review."""


class ReviewPage(Protocol):
    """What the review page calls; each call takes at most one request to Label Studio."""

    def labels(self, project: ProjectId) -> Sequence[ReviewLabel]: ...

    def version(self, project: ProjectId) -> VersionName | None:
        """Return the version that is reviewed; None before the first job."""
        ...

    def account(self) -> str: ...

    def screen(
        self, project: ProjectId, label: Label | None, at_least: float, skip: int
    ) -> Sequence[Prediction]:
        """Return the next images to decide about, the surest first."""
        ...

    def decide(self, project: ProjectId, screen: ReviewScreen) -> None:
        """Note decisions, to be saved in the background. Raises BadInput."""
        ...

    def reopen(
        self, project: ProjectId, *, screen: str | None = None, label: Label | None = None
    ) -> int:
        """Take decisions back, in the background; returns their number."""
        ...

    def progress(self, project: ProjectId) -> ReviewProgress: ...

    def thumbnail(self, project: ProjectId, task: TaskId) -> Path:
        """Return a small JPEG of an image. Raises NotFound, UnreadableImage."""
        ...


class Thumbnails(Protocol):
    """Small copies of images, in a bounded folder."""

    def path(self, project: ProjectId, ref: ImageRef) -> Path:
        """Return a small JPEG, made if it is not there. Raises UnreadableImage."""
        ...
