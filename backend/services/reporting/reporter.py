"""The end of every job: its numbers, its outlook and its pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from backend.domain.answers import NoPrediction
from backend.domain.ids import ProjectId
from backend.domain.jobs import Job, JobResult
from backend.domain.json import Json
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.ports.images import ExtractionLog
from backend.ports.stores import Illustrations
from backend.services.assessment import Assessment
from backend.services.project_tasks import ProjectTasks
from backend.services.publishing.finishing import Finished
from backend.services.reporting import report
from backend.services.reporting.forecast import Forecasts, Report
from backend.services.training.train import Dataset


@dataclass(frozen=True, slots=True)
class Reporter:
    """Puts a report together, and pictures beside it.

    `reports` are those of a project's earlier jobs, newest first.
    """

    extractor: ExtractionLog
    prospects: Forecasts
    illustrations: Illustrations
    reports: Callable[[ProjectId], Iterable[Report]]

    def tell(
        self,
        job: Job,
        version: ModelVersion,
        *,
        people: ProjectTasks,
        dataset: Dataset,
        findings: Assessment,
        finished: Finished,
        unreadable: Sequence[NoPrediction],
        seconds: Mapping[Step, float],
        reason: str,
        training: Json | None = None,
    ) -> JobResult:
        """Put together the result of a job; `training` is what was found out while training.

        A job that learned nothing tells what was found out when its version was trained.
        """
        earlier = self.reports(job.request.project)
        content = report.sections(
            version,
            people=people,
            dataset=dataset,
            findings=findings,
            finished=finished,
            unreadable=(*unreadable, *findings.unreadable),
            seconds={**seconds, **self.extractor.timings()},
        )
        found = {
            **content,
            **(training or report.of_earlier_training(version.name, earlier)),
            **self.prospects.look(job.request, people),
            "changed_images": dict(self.extractor.notes()),
        }
        finished.cleanup(
            "drawing pictures",
            lambda: self.illustrations.draw(job, found, report.hardest(findings)),
        )
        left = [asdict(one) for one in finished.cleanup.skipped_cleanup]
        return JobResult(
            reason, version.name, finished.accepted, {**found, "skipped_cleanup": left}
        )
