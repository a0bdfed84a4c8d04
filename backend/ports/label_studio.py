"""Label Studio, in the words of the domain. `backend.label_studio.gateway` implements it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.answers import ImageRef, LabeledImage, NoPrediction, Prediction
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.projects import Project
from backend.domain.schema import LabelSchema


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a bulk import did: predictions stored, and those that Label Studio dropped."""

    created: int
    dropped: tuple[NoPrediction, ...] = ()


class LabelStudio(Protocol):
    """Label Studio, in the words of the domain.

    Every method raises LabelStudioUnreachable, LabelStudioDenied, or NotFound for a project
    that is not there.
    """

    def project(self, project: ProjectId) -> Project: ...

    def projects(self) -> Sequence[Project]: ...

    def labeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[LabeledImage]:
        """Tasks with an answer that counts: ground truth wins, else the newest, never a skip."""
        ...

    def unlabeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        """Tasks that nobody answered or skipped, in order of task id."""
        ...

    def count_unlabeled(self, project: ProjectId) -> int:
        """How many tasks `unlabeled` would yield; one quick call."""
        ...

    def refs(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Iterator[ImageRef]:
        """Those of the tasks that are still there, labeled or not."""
        ...

    def predicted(self, project: ProjectId, version: VersionName) -> frozenset[TaskId]:
        """Tasks that already carry a prediction of this version."""
        ...

    def push(
        self, project: ProjectId, schema: LabelSchema, predictions: Sequence[Prediction]
    ) -> Pushed:
        """Store predictions; a task deleted meanwhile, or an invalid one, costs itself only."""
        ...

    def show_version(self, project: ProjectId, version: VersionName) -> None:
        """Make scores, ordering and uncertainty sampling use this version."""
        ...

    def forget_versions(self, project: ProjectId, keep: Iterable[VersionName]) -> None:
        """Remove predictions of our own versions, except those to keep."""
        ...

    def forget_predictions(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        """Remove predictions of all our versions from these tasks."""
        ...

    def refresh_tabs(self, project: ProjectId) -> None:
        """Create or update the Data Manager tabs; tabs that people changed in name are theirs."""
        ...

    def list_in_tab(self, project: ProjectId, title: str, tasks: Sequence[TaskId]) -> None:
        """Make a tab that lists exactly these tasks; none at all removes the tab."""
        ...

    def set_clusters(
        self, project: ProjectId, version: VersionName, clusters: Mapping[TaskId, int]
    ) -> None:
        """Give predictions their cluster, one call each; uncertainty sampling spreads over it."""
        ...

    def show_groups(
        self, project: ProjectId, groups: Sequence[Sequence[TaskId]]
    ) -> Sequence[VersionName]:
        """Show these groups in place of all earlier ones; their names, in order."""
        ...

    def accept(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Sequence[int]:
        """Turn predictions into annotations that remember them; the annotations' ids.

        A task that has an annotation, or was skipped, is left as it is.
        """
        ...

    def untouched(self, project: ProjectId, tasks: Sequence[TaskId]) -> Sequence[int]:
        """Annotations of these tasks that `accept` made and no person changed."""
        ...

    def take_back(
        self, project: ProjectId, tasks: Sequence[TaskId], annotations: Sequence[int]
    ) -> None:
        """Delete these annotations of these tasks; one that is gone already is fine.

        One that a person changed since is that person's, and stays.
        """
        ...

    def connect(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        """Register this backend and its webhook; safe to repeat. Says what was done."""
        ...

    def disconnect(self, project: ProjectId, backend_url: str) -> None:
        """Remove this backend and its webhook; safe to repeat."""
        ...
