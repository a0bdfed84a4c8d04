"""Readiness: whether a job of a project may start and, if not, why."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from itertools import chain

from backend.domain.answers import LabeledImage
from backend.domain.audits import Promise
from backend.domain.errors import (
    AutolabelError,
    NotFound,
    NoWeights,
    Reason,
    ReasonCode,
    Refused,
    UnsupportedConfig,
)
from backend.domain.ids import UNTRAINED, ProjectId
from backend.domain.items import ItemKind
from backend.domain.jobs import JobRequest, Mode
from backend.domain.projects import Project, ProjectStatus
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.version_names import is_published_model
from backend.label_studio import labeling_config
from backend.policies import first_training, left_out, preconditions
from backend.policies.item_checks import none_chosen, nothing_left
from backend.policies.preconditions import Counts, Minimum
from backend.ports.jobs import Jobs
from backend.ports.label_studio import ProjectContents
from backend.ports.stores import Ledgers, PublishedVersions
from backend.services import audits, project_tasks
from backend.settings import Settings

VERSIONS_SHOWN = 3

Labeled = Callable[[ProjectId, LabelSchema], Iterable[LabeledImage]]
"""Yields the labeled tasks of a project."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Counts labels through Label Studio and applies the preconditions."""

    label_studio: ProjectContents
    versions: PublishedVersions
    jobs: Jobs
    ledgers: Ledgers
    settings: Settings
    missing_weights: Callable[[TaskKind, ItemKind], NoWeights | None]
    labeled: Labeled

    def status(self, project: ProjectId) -> ProjectStatus:
        """Return the status of a project. An unsupported labeling config is a reason against it."""
        return self.of(self.label_studio.project(project))

    def of(self, project: Project) -> ProjectStatus:
        """Return the status of a project that was just read."""
        return self._before(JobRequest(project.id), project)

    def _before(self, request: JobRequest, found: Project) -> ProjectStatus:
        """Return the status before this job."""
        project = found.id
        try:
            schema = labeling_config.parse(found.label_config)
        except UnsupportedConfig as exc:
            counts = Counts((), labeled=0, unlabeled=self._unlabeled(request))
            return self._status(found, (_unsupported(exc),), (), counts)
        labeled = self.labeled(project, schema)
        tasks, of_model = project_tasks.by_people(labeled, self.ledgers.load(project))
        ledger = self.ledgers.load(project)  # again, with what was accepted while the labels came
        counts = project_tasks.count_images(schema, tasks, ledger, self._unlabeled(request))
        counts = replace(counts, excluded=counts.excluded + of_model)
        skipped = self.label_studio.count_skipped(project)
        minimum = Minimum(self.settings.min_labels, self.settings.min_images_per_label)
        reasons = (
            *preconditions.reasons(schema, counts, minimum),
            *_unacceptable(request, schema, counts),
            *self._weightless(_trained_kinds(schema, counts), schema.items),
            *(self._none_chosen(request, schema) if counts.unlabeled else ()),
        )
        annotated = project_tasks.trainable((*tasks.labeled, *tasks.unplaced), ledger)
        warnings = (
            *left_out.warnings(schema, annotated, project),
            *schema.warnings,
            *audits.notes(ledger, counts.labeled + counts.excluded + counts.unlabeled),
            *preconditions.warnings(schema, counts, minimum),
            *_repaired(project_tasks.trainable(tasks.labeled, ledger)),
            *audits.uncounted(len(project_tasks.not_blind(tasks.labeled, ledger))),
            *_skipped(skipped),
            *self._outdated(project, schema),
        )
        status = self._status(found, reasons, warnings, counts)
        found_out = left_out.left_out(schema, annotated)
        missing = first_training.images_missing(schema, counts, minimum)
        return replace(
            status, left_out=found_out, skipped=skipped, missing=missing, items=schema.items
        )

    def require(self, request: JobRequest, *, count: bool = True) -> None:
        """Check that a job may start.

        Without `count`, the job itself counts the labels, which takes seconds if there are many.

        Raises:
            Refused: with all reasons at once.
        """
        try:
            reasons = self._reasons(request, count=count)
        except UnsupportedConfig as exc:
            reasons = (_unsupported(exc),)
        if reasons:
            raise Refused(reasons)

    def _reasons(self, request: JobRequest, *, count: bool) -> tuple[Reason, ...]:
        match request.mode:
            case Mode.ACTIVE_LEARNING:
                return self._counted(request) if count else self._at_a_glance(request)
            case Mode.PRE_LABELING:
                return self._unfit_version(request)
            case Mode.GROUPING | Mode.SUGGESTING:
                return self._no_images(request)
            case Mode.UNDO | Mode.AUDITING | Mode.RELABELING:
                return ()

    def _counted(self, request: JobRequest) -> tuple[Reason, ...]:
        return self._before(request, self.label_studio.project(request.project)).reasons

    def _weightless(self, kinds: Collection[TaskKind], items: ItemKind) -> tuple[Reason, ...]:
        missing = [exc for kind in kinds if (exc := self.missing_weights(kind, items))]
        return tuple(_reason(ReasonCode.NO_BASE_WEIGHTS, exc) for exc in missing)

    def _at_a_glance(self, request: JobRequest) -> tuple[Reason, ...]:
        """Return the reasons against a training that need no labels to be counted."""
        schema = self._schema(request.project)
        kinds = {control.kind for control in schema.controls}
        unfit = _unacceptable(request, schema)
        done = () if self._unlabeled(request) else (nothing_left(schema.items),)
        weightless = self._weightless(kinds, schema.items)
        untrainable = weightless if len(weightless) == len(kinds) else ()
        return (*unfit, *done, *untrainable)

    def _no_images(self, request: JobRequest) -> tuple[Reason, ...]:
        """Return the reasons against a job that only needs unlabeled images."""
        return self._nothing_left(request, self._schema(request.project))

    def _unfit_version(self, request: JobRequest) -> tuple[Reason, ...]:
        """Return the reasons why the chosen version cannot label this project."""
        schema, name = self._schema(request.project), request.model_version or UNTRAINED
        if is_published_model(name):  # the job finds out what it can label
            return (*_unacceptable(request, schema), *self._nothing_left(request, schema))
        try:
            version = self.versions.get(request.project, name)
        except NotFound as exc:
            hint = self._known_versions(request.project)
            return (Reason(ReasonCode.UNKNOWN_VERSION, exc.message, hint=hint),)
        unfit = (*preconditions.model_fits(schema, version), *_unacceptable(request, schema))
        return (*unfit, *self._nothing_left(request, schema))

    def _nothing_left(self, request: JobRequest, schema: LabelSchema) -> tuple[Reason, ...]:
        if not self._unlabeled(request):
            return (nothing_left(schema.items),)
        return self._none_chosen(request, schema)

    def _none_chosen(self, request: JobRequest, schema: LabelSchema) -> tuple[Reason, ...]:
        """Return a reason if no chosen task is unlabeled."""
        chosen, project = set(request.task_ids), request.project
        waiting = self.label_studio.unlabeled(project, schema)
        skipped = self.label_studio.skipped_tasks(project, schema) if request.skipped else ()
        if not chosen or any(ref.task in chosen for ref in chain(waiting, skipped)):
            return ()
        return (none_chosen(len(chosen)),)

    def _outdated(self, project: ProjectId, schema: LabelSchema) -> tuple[str, ...]:
        current = self.versions.current(project)
        return preconditions.new_labels(schema, current) if current else ()

    def _known_versions(self, project: ProjectId) -> str:
        """Suggest versions that exist."""
        names = ", ".join(card.name for card in self.versions.all(project)[:VERSIONS_SHOWN])
        return f"Choose one that is there: {names}" if names else "Start an active-learning job"

    def _schema(self, project: ProjectId) -> LabelSchema:
        return labeling_config.parse(self.label_studio.project(project).label_config)

    def _unlabeled(self, request: JobRequest) -> int:
        waiting = self.label_studio.count_unlabeled(request.project)
        return waiting + (
            self.label_studio.count_skipped(request.project) if request.skipped else 0
        )

    def _status(
        self,
        project: Project,
        reasons: tuple[Reason, ...],
        warnings: tuple[str, ...],
        counts: Counts,
    ) -> ProjectStatus:
        return ProjectStatus(
            project=project,
            reasons=reasons,
            warnings=warnings,
            labels=tuple(counts.per_label),
            labeled=counts.labeled,
            unlabeled=counts.unlabeled,
            version=self.versions.current(project.id),
            job=self.jobs.live(project.id),
        )


def _unacceptable(
    request: JobRequest, schema: LabelSchema, counts: Counts | None = None
) -> tuple[Reason, ...]:
    """Return why a job cannot accept as it is asked to."""
    if not request.accept:
        return ()
    promise = preconditions.promise_fits(schema) if request.promise is Promise.BOXES else ()
    return (*promise, *(() if request.partial else preconditions.incomplete(schema, counts)))


def _skipped(tasks: int) -> Iterable[str]:
    if tasks:
        yield (
            f"{tasks} skipped {'task is' if tasks == 1 else 'tasks are'} left out; a job predicts "
            "them, too, if it is started with --skipped"
        )


def _unsupported(exc: UnsupportedConfig) -> Reason:
    return _reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, exc)


def _trained_kinds(schema: LabelSchema, counts: Counts) -> frozenset[TaskKind]:
    return frozenset(one.kind for one in schema.controls if any(counts.of(one).values()))


def _reason(code: ReasonCode, error: AutolabelError) -> Reason:
    return Reason(code, error.message, hint=error.hint)


def _repaired(labeled: Iterable[LabeledImage]) -> Iterable[str]:
    """Warn of annotations that a training may read differently from what people meant."""
    match sum(image.repairs.get("rotated", 0) for image in labeled):
        case 0:
            return
        case 1:
            yield "1 rotated rectangle counts as the upright one around it"
        case rotated:
            yield f"{rotated} rotated rectangles count as the upright ones around them"
