"""What lasts in the data folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from backend.domain.answers import ImageRef
from backend.domain.ids import ControlName, ProjectId, VersionName
from backend.domain.jobs import Job
from backend.domain.versions import Ledger, ModelVersion


class Versions(Protocol):
    """Immutable directories of published models, and one pointer to the current one."""

    def publish(
        self,
        project: ProjectId,
        card: Callable[[VersionName], ModelVersion],
        write: Callable[[Path], None],
    ) -> ModelVersion:
        """Write into a hidden folder, then make it appear at once. Raises OutOfSpace."""
        ...

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        """Newest first."""
        ...

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Raises NotFound."""
        ...

    def folder(self, project: ProjectId, version: VersionName, control: ControlName) -> Path:
        """Where the model of one control lies: a folder of the version, named by the control."""
        ...

    def current(self, project: ProjectId) -> ModelVersion | None: ...

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion: ...

    def prune(self, project: ProjectId, keep: int) -> Sequence[VersionName]:
        """Delete the oldest beyond `keep`; never the current one."""
        ...


class Ledgers(Protocol):
    """The ledger of each project."""

    def load(self, project: ProjectId) -> Ledger:
        """An empty one for a project that never drew a validation lane."""
        ...

    def save(self, project: ProjectId, ledger: Ledger) -> None: ...

    def change(self, project: ProjectId, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Save what `change` makes of the newest one, which nobody else changes meanwhile."""
        ...


class StoredPredictions(Protocol):
    """What each version said of each task, so that /predict need not compute it again."""

    def put(
        self, project: ProjectId, version: VersionName, wire: Mapping[ImageRef, Mapping[str, Any]]
    ) -> None: ...

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Mapping[str, Any]]:
        """Only those stored, and only where the task still shows the same image."""
        ...

    def prune(self, project: ProjectId, keep: Iterable[VersionName]) -> None: ...


class Illustrations(Protocol):
    """Pictures beside a job's report, for the page."""

    def draw(self, job: Job, report: Mapping[str, Any], hardest: Sequence[ImageRef]) -> None:
        """The plots of a report, and a small picture of each of the hardest images.

        What cannot be drawn is left out. Raises OutOfSpace.
        """
        ...
