"""The end of every job: its numbers, its outlook and its pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from backend.domain.answers import NoPrediction
from backend.domain.ids import ProjectId
from backend.domain.jobs import Job
from backend.domain.versions import ModelVersion
from backend.ports.images import Gallery
from backend.ports.stores import Illustrations
from backend.services.prediction.assessment import Findings
from backend.services.project_tasks import Census
from backend.services.publishing.finishing import Finished
from backend.services.reporting import report
from backend.services.reporting.forecast import Prospects, Report
from backend.services.reporting.report import Json
from backend.services.training.train import Material


@dataclass(frozen=True, slots=True)
class Reporter:
    """Puts a report together, and pictures beside it.

    `reports` are those of a project's earlier jobs, newest first.
    """

    gallery: Gallery
    prospects: Prospects
    illustrations: Illustrations
    reports: Callable[[ProjectId], Iterable[Report]]

    def tell(
        self,
        job: Job,
        version: ModelVersion,
        *,
        people: Census,
        material: Material,
        findings: Findings,
        finished: Finished,
        unreadable: Sequence[NoPrediction],
        seconds: Mapping[str, float],
        because: str,
        training: Json | None = None,
    ) -> Json:
        """The content of `report.json`; `training` is what was found out while learning.

        A job that learned nothing tells what was found out when its version was trained.
        """
        earlier = self.reports(job.request.project)
        content = report.content(
            job,
            version,
            people=people,
            material=material,
            findings=findings,
            finished=finished,
            unreadable=(*unreadable, *findings.unreadable),
            seconds={**seconds, **self.gallery.timings()},
            because=because,
        )
        found = {
            **content,
            **(training or report.of_earlier_training(version.name, earlier)),
            **self.prospects.look(job.request, people),
            "changed_images": dict(self.gallery.notes()),
        }
        finished.tidying(
            "drawing pictures",
            lambda: self.illustrations.draw(job, found, report.hardest(findings)),
        )
        left = [asdict(one) for one in finished.tidying.left_undone]
        return {**found, "left_undone": left}
