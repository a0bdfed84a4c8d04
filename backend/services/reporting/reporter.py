"""Build the result of a labeling job: report sections, forecast, plots and thumbnails."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from backend.domain.ids import ProjectId, VersionName
from backend.domain.jobs import JobResult
from backend.domain.json import Json
from backend.domain.schema import TaskKind
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.ports.images import ExtractionLog
from backend.ports.stores import Illustrations
from backend.services.assessment import Assessment
from backend.services.labeling_round import LabelingRound
from backend.services.publishing.publisher import Publication
from backend.services.reporting import sections
from backend.services.reporting.forecast import Forecasts, Report
from backend.services.reporting.learning_curve import learning_curves


@dataclass(frozen=True, slots=True)
class Reporter:
    """Builds the result of a job, and draws the plots beside its report.

    `reports` are those of a project's earlier jobs, `versions` its versions, both newest first.
    """

    extractor: ExtractionLog
    forecasts: Forecasts
    illustrations: Illustrations
    reports: Callable[[ProjectId], Iterable[Report]]
    versions: Callable[[ProjectId], Sequence[ModelVersion]]

    def earlier_training(self, project: ProjectId, version: VersionName) -> Json:
        """Return the sections about the training of a version, from the report of its job."""
        return sections.of_earlier_training(version, self.reports(project))

    def illustrate(self, round_: LabelingRound, assessment: Assessment, training: Json) -> None:
        """Draw the plots and thumbnails of a report; they need nothing that pushing tells."""
        shown = {**sections.of_confidence(assessment, round_.schema.items), **training}
        self.illustrations.draw(round_.job, shown, sections.hardest(assessment))

    def report(
        self,
        round_: LabelingRound,
        version: ModelVersion,
        assessment: Assessment,
        publication: Publication,
        seconds: Mapping[Step, float],
        *,
        reason: str,
        training: Json,
    ) -> JobResult:
        """Build the result of a round.

        Args:
            round_: what the job worked on.
            version: the one that the job made or chose.
            assessment: of the images, by the version that people see.
            publication: what arrived in Label Studio.
            seconds: spent in each step.
            reason: how the job ended, in words.
            training: sections about the training of `version`.
        """
        report = {
            **sections.of_round(round_, version, assessment, publication),
            **training,
            **self.forecasts.forecast(round_.request, round_.tasks, round_.schema.items),
            "learning_curves": learning_curves(
                self.versions(round_.project),
                len(round_.tasks.labeled) + len(round_.tasks.unlabeled),
            ),
            "seconds": sections.seconds(seconds),
            "changed_images": dict(self.extractor.notes()),
            "remarks": [*round_.remarks, *self.extractor.remarks(_encoder_of(version))],
        }
        report["skipped_cleanup"] = [asdict(one) for one in publication.cleanup.skipped_cleanup]
        return JobResult(reason, version.name, sections=report)


def _encoder_of(version: ModelVersion) -> str:
    """Return the encoder of a version; empty if its detectors use no features."""
    return "" if set(version.kinds.values()) <= {TaskKind.DETECTION} else version.backbone
