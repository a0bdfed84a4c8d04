"""May a job of this project start? Counts labels through Label Studio and asks the policies."""

from collections.abc import Callable, Collection
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
from backend.errors import NotFound, NoWeights, Reason, ReasonCode, Refused, UnsupportedConfig
from backend.policies import preconditions
from backend.ports import Jobs, LabelStudio, Versions
from backend.services import census
from backend.services.census import Census
from backend.services.lanes import Lanes
from backend.settings import Settings

NOTHING_LEFT = Reason(ReasonCode.NO_UNLABELED_IMAGES, "no unlabeled image left", have=0, need=1)


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
            return self._status(found, (_unsupported(exc),), (), (), 0, self._unlabeled(project))
        everyone = tuple(self.label_studio.labeled(project, schema))
        takes = replace(request, accept=request.accept and request.labels_are_random)
        ledger = self.lanes.draw(takes, Census(everyone, ()))
        labeled = census.teachable(everyone, ledger)
        counts = census.count(schema, labeled)
        unlabeled = self._unlabeled(project)
        aside = census.set_aside(everyone, ledger)
        ready = self._check(schema, counts, len(labeled), unlabeled, aside)
        warnings = (*schema.warnings, *ready.warnings)
        return self._status(found, ready.reasons, warnings, counts, len(labeled), unlabeled)

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

    def _weightless(self, kinds: Collection[Kind]) -> tuple[Reason, ...]:
        missing = [exc for kind in kinds if (exc := self.missing_weights(kind))]
        return tuple(Reason(ReasonCode.NO_BASE_WEIGHTS, str(exc)) for exc in missing)

    def _at_a_glance(self, request: JobRequest) -> tuple[Reason, ...]:
        """What keeps a training from starting whatever people labeled."""
        kinds = {control.kind for control in self._schema(request.project).controls}
        nothing_left = () if self._unlabeled(request.project) else (NOTHING_LEFT,)
        weightless = self._weightless(kinds)
        return (*nothing_left, *weightless) if len(weightless) == len(kinds) else nothing_left

    def _nothing_to_look_at(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why there are no images to choose from; needs neither labels nor a model."""
        self._schema(request.project)
        return () if self._unlabeled(request.project) else (NOTHING_LEFT,)

    def _unfit_version(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why the chosen version cannot label this project; needs no labeled image."""
        schema = self._schema(request.project)
        try:
            version = self.versions.get(request.project, request.model_version or UNTRAINED)
        except NotFound as exc:
            return (Reason(ReasonCode.UNKNOWN_VERSION, str(exc)),)
        unfit = preconditions.model_fits(schema, version)
        left = request.task_ids or self._unlabeled(request.project)
        return unfit if left else (*unfit, NOTHING_LEFT)

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
    return Reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, str(exc))
