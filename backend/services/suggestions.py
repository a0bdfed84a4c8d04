"""Suggest what to label next: typical images before the first model, then by its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

import numpy as np

from backend.domain.batches import ProjectPredictions
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.items import ItemKind
from backend.domain.jobs import Job, JobRequest, JobResult
from backend.domain.projects import Project
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.domain.task_lists import TaskList
from backend.domain.versions import Ledger, ModelVersion
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.policies.selection import Pick, select
from backend.ports.images import ReportedExtractor
from backend.ports.label_studio import ClusterEditor, ProjectContents, TabEditor
from backend.ports.progress import Progress, Steps
from backend.ports.stores import Ledgers, Versions
from backend.services import audits, project_tasks
from backend.services.prediction.inference import Predictor
from backend.services.project_tasks import ProjectTasks
from backend.services.reporting import sections
from backend.services.training.dataset import Dataset, answered, load_dataset
from backend.services.training.train import Models, Trainer

RANDOM_SHARE = 0.2
"""Share of the picks that are unlabeled images of the audit sample, while there are any."""


class SuggestingProject(ProjectContents, TabEditor, ClusterEditor, Protocol):
    """A project whose tasks are read, and some of them listed to be labeled next."""


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The suggesting job; it trains nothing and predicts with the current version."""

    label_studio: SuggestingProject
    extractor: ReportedExtractor
    trainer: Trainer
    predictor: Predictor
    versions: Versions
    ledgers: Ledgers
    seed: int

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job."""
        request, progress = job.request, steps.progress
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        with steps(Step.LIST):
            everyone = project_tasks.take(self.label_studio, request.project, schema, progress)
            people = everyone.only(request.task_ids) if request.task_ids else everyone
        ledger = self.ledgers.load(request.project)
        version = self._version(request, schema)
        # first, because a version may hold the encoder that embeds its texts
        models = self.trainer.load(schema, version, self.versions) if version else None
        backbone = version.backbone if version else ""
        dataset, unreadable = load_dataset(
            self.extractor, schema, people, ledger, progress, backbone
        )
        with steps(Step.PREDICT):
            predicted = self._predicted(models, dataset, progress) if models else None
            waiting = audits.waiting(ledger, people)
            chosen = choose(dataset, predicted, request.count, self.seed, waiting)
        with steps(Step.PUSH):
            name = version.name if version else None
            show(self.label_studio, request.project, chosen, schema.items)
            if name:
                project = self.label_studio.project(request.project)
                spread(self.label_studio, project, name, chosen)
        return sections.of_selection_job(
            self.extractor,
            reason=f"{len(chosen)} {schema.items.plural} to label next",
            tasks=everyone,
            items=schema.items.plural,
            unreadable=unreadable,
            spent=steps.seconds,
            backbone=dataset.unlabeled.backbone,
            chosen_by=name or f"typical {schema.items.plural}, no model yet",
            picks=[
                {"task": pick.task, "cluster": pick.cluster, "random": pick.random}
                for pick in chosen
            ],
        )

    def _version(self, request: JobRequest, schema: LabelSchema) -> ModelVersion | None:
        """Return the current version, where it still fits the labeling config."""
        current = self.versions.current(request.project)
        return current if current and not preconditions.model_fits(schema, current) else None

    def _predicted(
        self, models: Models, dataset: Dataset, progress: Progress
    ) -> ProjectPredictions:
        return self.predictor.predict(dataset.schema, models, dataset.unlabeled, progress)[0]


@dataclass(frozen=True, slots=True)
class NextPicks:
    """Chooses what people should label after a round, as many images as the settings say."""

    count: int
    seed: int

    def __call__(
        self, dataset: Dataset, predicted: ProjectPredictions, ledger: Ledger, tasks: ProjectTasks
    ) -> Sequence[Pick]:
        """Return the picks, the most useful first; `tasks` are all of the project."""
        if not self.count:
            return ()
        return choose(dataset, predicted, self.count, self.seed, audits.waiting(ledger, tasks))


def choose(
    dataset: Dataset,
    predicted: ProjectPredictions | None,
    count: int,
    seed: int,
    waiting: Sequence[TaskId] = (),
) -> tuple[Pick, ...]:
    """Choose at most `count` images that a person should label next, the most useful first.

    Args:
        dataset: whose `unlabeled` images may be picked.
        predicted: predictions of a version on them; None before the first model.
        count: number of picks.
        seed: of the random generator.
        waiting: unlabeled tasks of the audit sample.
    """
    random = waiting[: round(RANDOM_SHARE * count)]
    rng = np.random.default_rng(seed)
    wanted = count - len(random)
    useful = _in_turn(
        [
            _of_control(control, dataset, predicted, wanted, rng)
            for control in _asking(dataset, predicted)
        ]
    )[:wanted]
    last = max((pick.cluster for pick in useful), default=-1)
    return (*useful, *(Pick(task, last + 1, random=True) for task in random))


def show(
    label_studio: TabEditor, project: ProjectId, picks: Sequence[Pick], items: ItemKind
) -> None:
    """List the picks in their tab."""
    chosen = listed(picks, items)
    label_studio.list_in_tab(project, chosen.title, chosen.tasks, wall=chosen.wall)


def spread(
    label_studio: ClusterEditor, project: Project, version: VersionName, picks: Sequence[Pick]
) -> None:
    """Set the clusters of the picks on predictions of a version, where Label Studio uses them.

    Each takes a request, and only uncertainty sampling reads them. Random picks have none.
    """
    if project.samples_by_uncertainty:
        clusters = {pick.task: pick.cluster for pick in picks if not pick.random}
        label_studio.set_clusters(project.id, version, clusters)


def listed(picks: Sequence[Pick], items: ItemKind) -> TaskList:
    """Return the list of the picks for their tab.

    It is a wall of images: nothing is known of them yet that a table could show. Texts make none.
    """
    tasks = tuple(pick.task for pick in picks)
    return TaskList(TabTitle.NEXT_PICKS, tasks, wall=not items.is_text)


def _asking(dataset: Dataset, predicted: ProjectPredictions | None) -> Sequence[Control]:
    """Return the controls to pick by: those with a model; before any, one of the whole image."""
    controls = dataset.schema.controls
    if predicted is not None:
        return [control for control in controls if control.name in predicted.predictions]
    return sorted(controls, key=lambda control: control.kind is TaskKind.DETECTION)[:1]


def _of_control(
    control: Control,
    dataset: Dataset,
    predicted: ProjectPredictions | None,
    count: int,
    rng: np.random.Generator,
) -> Sequence[Pick]:
    shown = predicted.of(control) if predicted else None
    images = shown.images if shown else dataset.unlabeled.of(control.image)
    if not len(images):
        return ()
    predictions = shown.predictions[control.name] if shown else None
    labeled, _ = answered(control, dataset)
    return select(control.kind, images, predictions, labeled, count, rng)


def _in_turn(lists: Sequence[Sequence[Pick]]) -> list[Pick]:
    """Take the first pick of each control, then the second; no task and no cluster twice."""
    found: dict[TaskId, Pick] = {}
    for turn in zip_longest(*lists):
        for control, pick in enumerate(turn):
            if pick is not None and pick.task not in found:
                cluster = pick.cluster * len(lists) + control
                found[pick.task] = Pick(pick.task, cluster, pick.random)
    return list(found.values())
