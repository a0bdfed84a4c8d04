"""Collect what a labeling job works on: tasks, ledger, images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.errors import Refused
from backend.domain.ids import ProjectId, TaskId
from backend.domain.jobs import Job, JobRequest
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import Ledger, ModelVersion
from backend.policies.certification import held_out
from backend.ports.images import CollectingExtractor
from backend.ports.label_studio import TaskReader
from backend.ports.progress import Progress, Steps
from backend.ports.stores import Ledgers, StoredPredictions, Versions
from backend.services import project_tasks
from backend.services.look_ahead import LookAhead
from backend.services.project_tasks import LONG_LIST, ProjectTasks, is_of_model
from backend.services.sharding.crew import Crew
from backend.services.training import seen_tasks
from backend.services.training.dataset import Dataset, load_dataset, require_known

STATED_SHARE = 0.5
"""Share of the labels declared to be random that an audit uses; the others train the model."""


class EarlyStart(Protocol):
    """What begins before all tasks are listed."""

    def begin(self, annotated: ProjectTasks, unlabeled: int) -> bool:
        """Begin with these tasks, before so many others are listed.

        Returns whether their features are looked up as well.
        """
        ...

    def dataset(
        self, tasks: ProjectTasks, ledger: Ledger, backbone: str, progress: Progress
    ) -> tuple[Dataset, Sequence[NoPrediction]] | None:
        """Return what `load_dataset` does of these tasks if that was done already."""
        ...


Choose = Callable[[ProjectTasks, Ledger], ProjectTasks]
"""Picks the tasks that a job works on out of all tasks of the project."""


@dataclass(frozen=True, slots=True)
class LabelingRound:
    """The tasks and images that one active-learning or pre-labeling job works on.

    `tasks` are all tasks of the project, `dataset` the images of those that the job was asked to
    label. `current` is the version in use when the job began. `stated` are labeled tasks that an
    audit uses as its sample, because people stated that they were drawn at random; no model learns
    from them, and `dataset` holds them among the unlabeled ones. `not_blind` counts the labels by
    people that are in no such sample, because they were made from predictions.
    `remarks` are sentences for the report.
    """

    job: Job
    schema: LabelSchema
    tasks: ProjectTasks
    ledger: Ledger
    dataset: Dataset
    unreadable: Sequence[NoPrediction]
    current: ModelVersion | None
    stated: frozenset[TaskId] = frozenset()
    not_blind: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def request(self) -> JobRequest:
        return self.job.request

    @property
    def project(self) -> ProjectId:
        return self.job.request.project


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects a round: lists the tasks, extracts the features."""

    label_studio: TaskReader
    extractor: CollectingExtractor
    ledgers: Ledgers
    versions: Versions
    stored: StoredPredictions
    crew: Crew
    seed: int

    def collect(
        self,
        job: Job,
        schema: LabelSchema,
        choose: Choose,
        steps: Steps,
        version: ModelVersion | None = None,
        early: EarlyStart | None = None,
    ) -> LabelingRound:
        """Return the round, of the tasks that `choose` picks.

        The images are embedded by the encoder of `version`; without, by the one to train on.
        `early` begins before the unlabeled tasks are listed.

        Raises:
            ImagesUnreachable: when many images are missing that could be read before.
        """
        project = job.request.project

        def backbone() -> str:
            return version.backbone if version else self._to_train_on(job.request, schema)

        with LookAhead(self.extractor, backbone) as ahead:
            with steps(Step.LIST) as progress:
                tasks = self._list(job.request, schema, progress, early, ahead)
                ledger = self.ledgers.load(project)
                current = self.versions.current(project)
                stated = self._stated(job.request, tasks, ledger, current)
                chosen, stated = _choose_beside(stated, tasks, choose, ledger)
                ahead.end()
            before = self.extractor.timings()
            dataset, unreadable = self._load(
                job, schema, chosen, ledger, steps.progress, backbone(), early
            )
            after = self.extractor.timings()
            steps.spent({step: after[step] - before[step] for step in after})
        if current and unreadable:
            refs = [ref for ref in chosen.unlabeled if ref.task not in ledger.withheld]
            known = self._known(current, refs, [one.image.task for one in chosen.labeled])
            require_known(unreadable, known, schema.items)
        not_blind = len(project_tasks.not_blind(tasks.labeled, ledger))
        return LabelingRound(
            job, schema, tasks, ledger, dataset, unreadable, current, stated, not_blind
        )

    def _list(
        self,
        request: JobRequest,
        schema: LabelSchema,
        progress: Progress,
        early: EarlyStart | None,
        ahead: LookAhead,
    ) -> ProjectTasks:
        """List all tasks; where many will be extracted, look ahead at the unlabeled ones."""
        project = request.project

        def begin(annotated: ProjectTasks, unlabeled: int) -> None:
            is_done = early is not None and early.begin(annotated, unlabeled)
            if unlabeled >= LONG_LIST and not request.task_ids and not is_done:
                ahead.begin()

        tasks = project_tasks.take(self.label_studio, project, schema, progress, begin, ahead.look)
        if request.skipped:
            return tasks.and_also(self.label_studio.skipped_tasks(project, schema))
        return tasks

    def _load(
        self,
        job: Job,
        schema: LabelSchema,
        chosen: ProjectTasks,
        ledger: Ledger,
        progress: Progress,
        backbone: str,
        early: EarlyStart | None,
    ) -> tuple[Dataset, Sequence[NoPrediction]]:
        """Return the images of the chosen tasks, and those that cannot be read."""
        if early and (found := early.dataset(chosen, ledger, backbone, progress)):
            return found
        self._divide(job, schema, chosen, backbone, progress)
        return load_dataset(self.extractor, schema, chosen, ledger, progress, backbone)

    def _divide(
        self,
        job: Job,
        schema: LabelSchema,
        chosen: ProjectTasks,
        backbone: str,
        progress: Progress,
    ) -> None:
        """Embed images together with other workers if that pays.

        An encoder of texts may be fitted to all of them, so texts stay together.
        """
        if schema.items.is_text:
            return
        refs = [*(one.image for one in chosen.labeled), *chosen.unlabeled]
        images = [ref.at(place) for place in range(len(schema.images)) for ref in refs]
        self.crew.embed(job, images, backbone, progress)

    def _to_train_on(self, request: JobRequest, schema: LabelSchema) -> str:
        kinds = {control.kind for control in schema.controls}
        return self.extractor.choose(kinds, request.algorithm, schema.items)

    def _stated(
        self,
        request: JobRequest,
        tasks: ProjectTasks,
        ledger: Ledger,
        current: ModelVersion | None,
    ) -> frozenset[TaskId]:
        """Return the labels to audit with: blind ones that the current version has not seen."""
        if not (request.accept and request.labels_are_random) or ledger.open_audit:
            return frozenset()
        blind = [
            one.image.task for one in tasks.labeled if one.blind and not is_of_model(one, ledger)
        ]
        seen = seen_tasks.of_version(self.versions, current) if current else frozenset[TaskId]()
        return held_out.lot(blind, self.seed, STATED_SHARE) - seen

    def _known(
        self, version: ModelVersion, unlabeled: Sequence[ImageRef], labeled: Sequence[TaskId]
    ) -> frozenset[TaskId]:
        """Return the tasks whose images an earlier job could read."""
        learned = seen_tasks.of_version(self.versions, version).intersection(labeled)
        return learned | self.stored.known(version.project, version.name, unlabeled)


def _choose_beside(
    stated: frozenset[TaskId], tasks: ProjectTasks, choose: Choose, ledger: Ledger
) -> tuple[ProjectTasks, frozenset[TaskId]]:
    """Return the tasks to work on, and the labels that are kept for an audit beside them.

    None are kept where the others would be too few to train on; an audit of other images is drawn
    then.

    Raises:
        Refused: when there are too few labels altogether.
    """
    try:
        return choose(tasks.set_aside(stated), ledger), stated
    except Refused:
        if not stated:
            raise
        return choose(tasks, ledger), frozenset()
