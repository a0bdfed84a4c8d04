"""A project whose use cases are built by `backend.use_cases`, on fakes and a real version store."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.domain.answers import Choices
from backend.domain.ids import ControlName, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job, JobRequest, JobState, Mode
from backend.domain.schema import TaskKind
from backend.label_studio.source_files import LocalSourceFiles
from backend.ports.model_family import Family
from backend.ports.progress import Progress, Work
from backend.ports.stores import Ledgers, StoredPredictions
from backend.services.readiness import Readiness
from backend.settings import Settings
from backend.stores.jobs import report_json
from backend.stores.label_backups import LabelBackupFiles
from backend.stores.listed_tasks import ListedTaskFiles
from backend.stores.polled_projects import PolledProjectFiles
from backend.stores.project_folders import ProjectFolders
from backend.stores.reviews import ReviewFiles
from backend.stores.unfinished import UnfinishedJobFiles
from backend.stores.versions import VersionStore
from backend.use_cases import Parts, UseCases, use_cases, utc_now
from tests.fakes.audits import FakeAudits
from tests.fakes.changes import FakeChanges
from tests.fakes.foreign_models import Zoo
from tests.fakes.illustrations import FakeIllustrations
from tests.fakes.jobs import FakeJobs
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.ledgers import FakeLedgers
from tests.fakes.models import FakeFeatureExtractor, ParityFamily
from tests.fakes.reviews import FakeThumbnails
from tests.fakes.shards import FakeShards
from tests.fakes.steps import FakeSteps, quiet
from tests.fakes.stored_predictions import FakeStoredPredictions

PROJECT = ProjectId(1)
CHOICE = ControlName("c")


def parts_in(folder: Path, label_studio: FakeLabelStudio, **changes: Any) -> Parts:
    """Fakes around `label_studio`, versions in `folder`, and whatever `changes` replace."""
    extractor = FakeFeatureExtractor()
    parts = Parts(
        settings=Settings(data_dir=folder, augmented_images=0),
        label_studio=label_studio,
        versions=VersionStore(folder),
        ledgers=FakeLedgers(),
        audits=FakeAudits(),
        stored=FakeStoredPredictions(),
        jobs=FakeJobs(),
        changes=FakeChanges(utc_now),
        extractor=lambda: extractor,
        families=lambda device: dict.fromkeys(TaskKind, ParityFamily()),
        foreign_models=Zoo(),
        illustrations=FakeIllustrations(),
        origins=ProjectFolders(folder),
        backups=LabelBackupFiles(folder),
        source_files=LocalSourceFiles("http://label-studio.test"),
        polled=PolledProjectFiles(folder),
        listed=ListedTaskFiles(folder),
        reviews=ReviewFiles(folder, utc_now),
        thumbnails=FakeThumbnails(folder),
        unfinished=UnfinishedJobFiles(folder),
        shards=FakeShards(),
        reports=lambda project: (),
        packages={},
    )
    return replace(parts, **changes)


class World:
    """A project of `images` tasks, of which the first 12 are labeled, half of them cats.

    Tests may change its parts: `label_studio`, `extractor` and `families` (by kind of control) are
    the very objects that the use cases hold. Assign to `active_learning` to run another one.
    """

    def __init__(
        self,
        folder: Path,
        images: int = 40,
        *,
        extractor: FakeFeatureExtractor | None = None,
        ledgers: Ledgers | None = None,
        stored: StoredPredictions | None = None,
        label_studio: type[FakeLabelStudio] = FakeLabelStudio,
    ) -> None:
        people: dict[TaskId, Any] = {TaskId(task): None for task in range(1, images + 1)}
        people |= {TaskId(task): {CHOICE: self.answer(task)} for task in range(1, 13)}
        self.label_studio = label_studio(people=people)
        self.reviews = ReviewFiles(folder, utc_now)
        self.extractor = extractor or FakeFeatureExtractor()
        self.illustrations = FakeIllustrations()
        self.reports: list[Mapping[str, Any]] = []
        self.family = ParityFamily()
        self.families: dict[TaskKind, Family] = dict.fromkeys(TaskKind, self.family)
        self.versions = VersionStore(folder)
        self.stored = stored or FakeStoredPredictions()
        self.ledgers = ledgers or FakeLedgers()
        self.audits = FakeAudits()
        self.folder = folder
        cases = self.use_cases()
        jobs = cases.jobs()
        self.auto_accept = cases.auto_accept
        self.auditing = cases.auditing
        self.active_learning = jobs[Mode.ACTIVE_LEARNING]
        self.pre_labeling = jobs[Mode.PRE_LABELING]
        self.grouping = jobs[Mode.GROUPING]
        self.suggestions = jobs[Mode.SUGGESTING]

    def use_cases(self, **changes: Any) -> UseCases:
        """Wire the parts as they are now; `changes` replace some."""
        return use_cases(self.parts(**changes))

    def parts(self, **changes: Any) -> Parts:
        """Return the parts as they are now; `changes` replace some."""
        parts = parts_in(
            self.folder,
            self.label_studio,
            versions=self.versions,
            ledgers=self.ledgers,
            audits=self.audits,
            stored=self.stored,
            extractor=lambda: self.extractor,
            families=lambda device: self.families,
            illustrations=self.illustrations,
            reports=lambda project: self.reports,
        )
        return replace(parts, **changes)

    def readiness(self, **settings: Any) -> Readiness:
        """Readiness of this world as it is now, under these settings."""
        return self.use_cases(settings=Settings(data_dir=self.folder, **settings)).readiness

    @staticmethod
    def truth(task: int) -> Label:
        """What a person would say of a task: dogs have odd numbers."""
        return Label("dog" if task % 2 else "cat")

    def answer(self, task: int) -> Choices:
        return Choices((self.truth(task),))

    def job(self, **changes: Any) -> Job:
        request = replace(JobRequest(PROJECT), **changes)
        return Job(JobId("job-1"), request, JobState.RUNNING, created_at=datetime.now(UTC))

    def label(self, tasks: Iterable[TaskId]) -> None:
        """Label these tasks correctly, as a person would."""
        self.label_studio.people |= {task: {CHOICE: self.answer(task)} for task in tasks}

    def run(self, **changes: Any) -> Mapping[str, Any]:
        """Run an active-learning job to its end; returns its report."""
        return self.report(self.active_learning, self.job(**changes))

    def pre_label(self, version: str, **changes: Any) -> Mapping[str, Any]:
        """Run a pre-labeling job with this version to its end; returns its report."""
        chosen = {"mode": Mode.PRE_LABELING, "model_version": VersionName(version)}
        return self.report(self.pre_labeling, self.job(**chosen, **changes))

    @staticmethod
    def report(work: Work, job: Job, progress: Progress = quiet) -> Mapping[str, Any]:
        """Do the work of a job; returns its report."""
        return report_json(job, work(job, FakeSteps(progress)))
