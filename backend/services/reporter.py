"""The end of every job: its numbers, its outlook and its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.domain import Job, ModelVersion, NoPrediction
from backend.ports import Gallery, Illustrations
from backend.services import report
from backend.services.census import Census
from backend.services.findings import Findings
from backend.services.finishing import Finished
from backend.services.learning import Material
from backend.services.prospects import Prospects
from backend.services.report import Json


@dataclass(frozen=True, slots=True)
class Reporter:
    """Puts a report together, and pictures beside it."""

    gallery: Gallery
    prospects: Prospects
    illustrations: Illustrations

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
        """The content of `report.json`; `training` is what was found out while learning."""
        content = report.content(
            job,
            version,
            material=material,
            findings=findings,
            finished=finished,
            unreadable=(*unreadable, *findings.unreadable),
            seconds={**seconds, **self.gallery.timings()},
            because=because,
        )
        found = {
            **content,
            **(training or {}),
            **self.prospects.look(job.request, people),
            "changed_images": dict(self.gallery.notes()),
        }
        self.illustrations.draw(job, found, report.hardest(findings))
        return found
