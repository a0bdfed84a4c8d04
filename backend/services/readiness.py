"""May a job of this project start? Counts labels through Label Studio and asks the policies."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from backend.domain.answers import LabeledImage
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
from backend.domain.jobs import JobRequest, Mode
from backend.domain.projects import LabelCount, Project, ProjectStatus
from backend.domain.schema import LabelSchema, TaskKind
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.policies.preconditions import NOTHING_LEFT
from backend.ports.jobs import Jobs
from backend.ports.label_studio import ProjectContents
from backend.ports.stores import PublishedVersions
from backend.services import project_tasks
from backend.services.audit_sample import AuditSamples
from backend.services.project_tasks import ProjectTasks
from backend.settings import Settings

VERSIONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Readiness:
    """Answers for one Label Studio and one data folder."""

    label_studio: ProjectContents
    versions: PublishedVersions
    jobs: Jobs
    audits: AuditSamples
    settings: Settings
    missing_weights: Callable[[TaskKind], NoWeights | None] = lambda _: None

    def status(self, project: ProjectId) -> ProjectStatus:
        """Where a project stands; an unsupported labeling config is a reason, not an error."""
        return self._before(JobRequest(project))

    def _before(self, request: JobRequest) -> ProjectStatus:
        """The same, as it will be for this job: a random lane may take labels away from it."""
        project = request.project
        found = self.label_studio.project(project)
        try:
            schema = labeling_config.parse(found.label_config)
        except UnsupportedConfig as exc:
            return self._status(found, (_unsupported(exc),), (), (), 0, self._unlabeled(project))
        everyone = tuple(self.label_studio.labeled(project, schema))
        takes = replace(request, accept=request.accept and request.labels_are_random)
        ledger = self.audits.draw(takes, ProjectTasks(everyone, ()))
        labeled = project_tasks.trainable(everyone, ledger)
        counts = project_tasks.count(schema, labeled)
        unlabeled = self._unlabeled(project)
        aside = project_tasks.set_aside(everyone, ledger)
        ready = self._check(schema, counts, len(labeled), unlabeled, aside)
        reasons = (*ready.reasons, *(self._none_chosen(request, schema) if unlabeled else ()))
        warnings = (*schema.warnings, *ready.warnings, *_mended(labeled))
        return self._status(found, reasons, warnings, counts, len(labeled), unlabeled)

    def require(self, request: JobRequest, *, count: bool = True) -> None:
        """Pass, or say every reason why this job may not start.

        Without `count` labels are left to the job to count: of many, that takes seconds.

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
                return self._before(request).reasons if count else self._at_a_glance(request)
            case Mode.PRE_LABELING:
                return self._unfit_version(request)
            case Mode.GROUPING | Mode.SUGGESTING:
                return self._nothing_to_look_at(request)

    def _check(
        self,
        schema: LabelSchema,
        counts: tuple[LabelCount, ...],
        labeled: int,
        unlabeled: int,
        aside: int,
    ) -> preconditions.Readiness:
        minimum = self.settings.min_labels, self.settings.min_images_per_label
        found = preconditions.check(schema, counts, labeled, unlabeled, *minimum, aside)
        used = {count.control for count in counts if count.images}
        kinds = {control.kind for control in schema.controls if control.name in used}
        return replace(found, reasons=(*found.reasons, *self._weightless(kinds)))

    def _weightless(self, kinds: Collection[TaskKind]) -> tuple[Reason, ...]:
        missing = [exc for kind in kinds if (exc := self.missing_weights(kind))]
        return tuple(_reason(ReasonCode.NO_BASE_WEIGHTS, exc) for exc in missing)

    def _at_a_glance(self, request: JobRequest) -> tuple[Reason, ...]:
        """What keeps a training from starting whatever people labeled."""
        kinds = {control.kind for control in self._schema(request.project).controls}
        nothing_left = () if self._unlabeled(request.project) else (NOTHING_LEFT,)
        weightless = self._weightless(kinds)
        return (*nothing_left, *weightless) if len(weightless) == len(kinds) else nothing_left

    def _nothing_to_look_at(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why there are no images to choose from; needs neither labels nor a model."""
        return self._nothing_left(request, self._schema(request.project))

    def _unfit_version(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why the chosen version cannot label this project; needs no labeled image."""
        schema = self._schema(request.project)
        try:
            version = self.versions.get(request.project, request.model_version or UNTRAINED)
        except NotFound as exc:
            hint = self._known_versions(request.project)
            return (Reason(ReasonCode.UNKNOWN_VERSION, exc.message, hint=hint),)
        unfit = preconditions.model_fits(schema, version)
        return (*unfit, *self._nothing_left(request, schema))

    def _nothing_left(self, request: JobRequest, schema: LabelSchema) -> tuple[Reason, ...]:
        if not self._unlabeled(request.project):
            return (NOTHING_LEFT,)
        return self._none_chosen(request, schema)

    def _none_chosen(self, request: JobRequest, schema: LabelSchema) -> tuple[Reason, ...]:
        """Chosen tasks without an unlabeled one among them, however many others there are."""
        chosen = set(request.task_ids)
        unlabeled = self.label_studio.unlabeled(request.project, schema)
        if not chosen or any(ref.task in chosen for ref in unlabeled):
            return ()
        return (preconditions.none_chosen(len(chosen)),)

    def _known_versions(self, project: ProjectId) -> str:
        """What to name instead of a version that is not there."""
        names = ", ".join(card.name for card in self.versions.all(project)[:VERSIONS_SHOWN])
        return f"Choose one that is there: {names}" if names else "Start an active-learning job"

    def _schema(self, project: ProjectId) -> LabelSchema:
        return labeling_config.parse(self.label_studio.project(project).label_config)

    def _unlabeled(self, project: ProjectId) -> int:
        return self.label_studio.count_unlabeled(project)

    def _status(
        self,
        project: Project,
        reasons: tuple[Reason, ...],
        warnings: tuple[str, ...],
        counts: tuple[LabelCount, ...],
        labeled: int,
        unlabeled: int,
    ) -> ProjectStatus:
        return ProjectStatus(
            project=project,
            reasons=reasons,
            warnings=warnings,
            labels=counts,
            labeled=labeled,
            unlabeled=unlabeled,
            version=self.versions.current(project.id),
            job=self.jobs.live(project.id),
        )


def _unsupported(exc: UnsupportedConfig) -> Reason:
    return _reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, exc)


def _reason(code: ReasonCode, error: AutolabelError) -> Reason:
    return Reason(code, error.message, hint=error.hint)


def _mended(labeled: Iterable[LabeledImage]) -> Iterable[str]:
    """What learning makes of answers that people may have meant otherwise."""
    match sum(image.repairs.get("rotated", 0) for image in labeled):
        case 0:
            return
        case 1:
            yield "1 rotated rectangle counts as the upright one around it"
        case rotated:
            yield f"{rotated} rotated rectangles count as the upright ones around them"
