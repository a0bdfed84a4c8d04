"""The versions whose predictions are still needed, whichever newer ones a task has."""

from dataclasses import dataclass

from backend.domain.ids import ProjectId, VersionName
from backend.ports.label_studio import ProjectReader
from backend.ports.reviews import ReviewDecisions
from backend.ports.stores import Ledgers, PublishedVersions


@dataclass(frozen=True, slots=True)
class KeptVersions:
    """Finds the versions that are in use: predictions of all others are superseded."""

    label_studio: ProjectReader
    versions: PublishedVersions
    ledgers: Ledgers
    reviews: ReviewDecisions

    def __call__(self, project: ProjectId) -> frozenset[VersionName]:
        """Return the shown and the current version, and those that audit and reviews refer to."""
        keep = {VersionName(self.label_studio.project(project).model_version)}
        if current := self.versions.current(project):
            keep.add(current.name)
        audit = self.ledgers.load(project).open_audit
        if audit:  # its predictions are accepted once people have labeled the sample
            keep.add(audit.version)
        return frozenset(keep) | self.reviews.unsaved_versions(project)
