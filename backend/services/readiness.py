"""May a job of this project start? Counts labels through Label Studio and asks the policies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from backend import schema as labeling_config
from backend.domain import (
    UNTRAINED,
    JobRequest,
    Kind,
    LabelCount,
    LabeledImage,
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
            reason = Reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, str(exc))
            return self._status(found, (reason,), (), (), 0)
        everyone = tuple(self.label_studio.labeled(project, schema))
        takes = replace(request, accept=request.accept and request.labels_are_random)
        ledger = self.lanes.draw(takes, Census(everyone, ()))
        labeled = census.teachable(everyone, ledger)
        counts = census.count(schema, labeled)
        unlabeled = self.label_studio.count_unlabeled(project)
        aside = census.set_aside(everyone, ledger)
        ready = self._check(schema, counts, len(labeled), unlabeled, aside)
        warnings = (*schema.warnings, *ready.warnings, *_mended(labeled))
        return self._status(found, ready.reasons, warnings, counts, len(labeled))

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
        weights = tuple(Reason(ReasonCode.NO_BASE_WEIGHTS, str(exc)) for exc in missing)
        return replace(found, reasons=(*found.reasons, *weights))

    def _nothing_to_look_at(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why there are no images to choose from; needs neither labels nor a model."""
        project = self.label_studio.project(request.project)
        try:
            labeling_config.parse(project.label_config)
        except UnsupportedConfig as exc:
            return (Reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, str(exc)),)
        return () if self.label_studio.count_unlabeled(project.id) else (NOTHING_LEFT,)

    def _unfit_version(self, request: JobRequest) -> tuple[Reason, ...]:
        """Why the chosen version cannot label this project; needs no labeled image."""
        project = self.label_studio.project(request.project)
        try:
            schema = labeling_config.parse(project.label_config)
        except UnsupportedConfig as exc:
            return (Reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, str(exc)),)
        try:
            version = self.versions.get(request.project, request.model_version or UNTRAINED)
        except NotFound as exc:
            return (Reason(ReasonCode.UNKNOWN_VERSION, str(exc)),)
        unfit = preconditions.model_fits(schema, version)
        left = request.task_ids or self.label_studio.count_unlabeled(project.id)
        return unfit if left else (*unfit, NOTHING_LEFT)

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


def _mended(labeled: Iterable[LabeledImage]) -> Iterable[str]:
    """What learning makes of answers that people may have meant otherwise."""
    match sum(image.repairs.get("rotated", 0) for image in labeled):
        case 0:
            return
        case 1:
            yield "1 rotated rectangle counts as the upright one around it"
        case rotated:
            yield f"{rotated} rotated rectangles count as the upright ones around them"
