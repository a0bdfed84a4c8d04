"""May a job of this project start? Counts labels through Label Studio and asks the policies."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from backend import schema as labeling_config
from backend.domain import (
    UNTRAINED,
    JobRequest,
    Kind,
    LabelCount,
    LabelSchema,
    Mode,
    Project,
    ProjectId,
    ProjectStatus,
)
from backend.errors import (
    AutolabelError,
    NotFound,
    NoWeights,
    Reason,
    ReasonCode,
    Refused,
    UnsupportedConfig,
)
from backend.policies import preconditions
from backend.policies.preconditions import NOTHING_LEFT
from backend.ports import Jobs, LabelStudio, Versions
from backend.services import census
from backend.services.census import Census
from backend.services.lanes import Lanes
from backend.settings import Settings

VERSIONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Readiness:
    """Answers for one Label Studio and one data folder."""

    label_studio: LabelStudio
    versions: Versions
    jobs: Jobs
    lanes: Lanes
    settings: Settings
    missing_weights: Callable[[Kind], NoWeights | None] = lambda _: None

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
            reason = _reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, exc)
            return self._status(found, (reason,), (), (), 0)
        everyone = tuple(self.label_studio.labeled(project, schema))
        takes = replace(request, accept=request.accept and request.labels_are_random)
        ledger = self.lanes.draw(takes, Census(everyone, ()))
        labeled = census.teachable(everyone, ledger)
        counts = census.count(schema, labeled)
        unlabeled = self.label_studio.count_unlabeled(project)
        aside = census.set_aside(everyone, ledger)
        ready = self._check(schema, counts, len(labeled), unlabeled, aside)
        reasons = (*ready.reasons, *(self._none_chosen(request, schema) if unlabeled else ()))
        return self._status(
            found, reasons, (*schema.warnings, *ready.warnings), counts, len(labeled)
        )

    def require(self, request: JobRequest) -> None:
        """Pass, or say every reason why this job may not start.

        Raises:
            Refused: with all reasons at once.
        """
        match request.mode:
            case Mode.ACTIVE_LEARNING:
                reasons = self._before(request).reasons
            case Mode.PRE_LABELING:
                reasons = self._unfit_version(request)
            case Mode.GROUPING | Mode.SUGGESTING:
                reasons = self._nothing_to_look_at(request)
        if reasons:
            raise Refused(reasons)

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
        missing = [exc for kind in kinds if (exc := self.missing_weights(kind))]
        weights = tuple(_reason(ReasonCode.NO_BASE_WEIGHTS, exc) for exc in missing)
        return replace(found, reasons=(*found.reasons, *weights))

    def _nothing_to_look_at(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why there are no images to choose from; needs neither labels nor a model."""
        project = self.label_studio.project(request.project)
        try:
            schema = labeling_config.parse(project.label_config)
        except UnsupportedConfig as exc:
            return (_reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, exc),)
        return self._nothing_left(request, schema)

    def _unfit_version(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why the chosen version cannot label this project; needs no labeled image."""
        project = self.label_studio.project(request.project)
        try:
            schema = labeling_config.parse(project.label_config)
        except UnsupportedConfig as exc:
            return (_reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, exc),)
        try:
            version = self.versions.get(request.project, request.model_version or UNTRAINED)
        except NotFound as exc:
            cure = self._known_versions(request.project)
            return (Reason(ReasonCode.UNKNOWN_VERSION, exc.message, cure=cure),)
        unfit = preconditions.model_fits(schema, version)
        return (*unfit, *self._nothing_left(request, schema))

    def _nothing_left(self, request: JobRequest, schema: LabelSchema) -> tuple[Reason, ...]:
        if not self.label_studio.count_unlabeled(request.project):
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

    def _status(
        self,
        project: Project,
        reasons: tuple[Reason, ...],
        warnings: tuple[str, ...],
        counts: tuple[LabelCount, ...],
        labeled: int,
    ) -> ProjectStatus:
        return ProjectStatus(
            project=project,
            reasons=reasons,
            warnings=warnings,
            labels=counts,
            labeled=labeled,
            unlabeled=self.label_studio.count_unlabeled(project.id),
            version=self.versions.current(project.id),
            job=self.jobs.live(project.id),
        )


def _reason(code: ReasonCode, error: AutolabelError) -> Reason:
    return Reason(code, error.message, cure=error.cure)
