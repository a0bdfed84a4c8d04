"""Collect what a labeling job works on: tasks, audit sample, images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.ids import ProjectId, TaskId
from backend.domain.jobs import Job, JobRequest
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import Ledger, ModelVersion
from backend.ports.images import FeatureExtractor
from backend.ports.label_studio import TaskReader
from backend.ports.progress import Steps
from backend.ports.stores import StoredPredictions, Versions
from backend.services import project_tasks
from backend.services.audit_sample import AuditSamples
from backend.services.project_tasks import ProjectTasks
from backend.services.training import seen_tasks
from backend.services.training.dataset import Dataset, load_dataset, require_known

Choose = Callable[[ProjectTasks, Ledger], ProjectTasks]
"""Picks the tasks that a job works on out of all tasks of the project."""


@dataclass(frozen=True, slots=True)
class LabelingRound:
    """The tasks and images that one active-learning or pre-labeling job works on.

    `tasks` are all tasks of the project, `dataset` the images of those that the job was asked to
    label. `current` is the version in use when the job began.
    """

    job: Job
    schema: LabelSchema
    tasks: ProjectTasks
    ledger: Ledger
    dataset: Dataset
    unreadable: Sequence[NoPrediction]
    current: ModelVersion | None

    @property
    def request(self) -> JobRequest:
        return self.job.request

    @property
    def project(self) -> ProjectId:
        return self.job.request.project


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects a round: lists the tasks, draws the audit sample, extracts the features."""

    label_studio: TaskReader
    extractor: FeatureExtractor
    audits: AuditSamples
    versions: Versions
    stored: StoredPredictions

    def collect(self, job: Job, schema: LabelSchema, choose: Choose, steps: Steps) -> LabelingRound:
        """Return the round; the audit sample is kept only if `choose` does not raise.

        Raises:
            ImagesUnreachable: when many images are missing that could be read before.
        """
        project = job.request.project
        with steps(Step.LIST) as progress:
            tasks = project_tasks.take(self.label_studio, project, schema, progress)
            ledger = self.audits.draw(job.request, tasks)
            tasks = self.audits.with_unanswered(project, schema, ledger, tasks)
            chosen = choose(tasks, ledger)
            self.audits.keep(project, ledger, tasks)
        dataset, unreadable = load_dataset(self.extractor, schema, chosen, ledger, steps.progress)
        current = self.versions.current(project)
        if current and unreadable:
            refs = [ref for ref in chosen.unlabeled if ref.task not in ledger.open]
            known = self._known(current, refs, [one.image.task for one in chosen.labeled])
            require_known(unreadable, known)
        return LabelingRound(job, schema, tasks, ledger, dataset, unreadable, current)

    def _known(
        self, version: ModelVersion, unlabeled: Sequence[ImageRef], labeled: Sequence[TaskId]
    ) -> frozenset[TaskId]:
        """Return the tasks whose images an earlier job could read."""
        predicted = self.stored.get(version.project, version.name, unlabeled)
        learned = seen_tasks.of_version(self.versions, version).intersection(labeled)
        return learned.union(ref.task for ref in predicted)
