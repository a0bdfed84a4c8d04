"""What both kinds of job end with: predictions pushed, their version shown, labels accepted."""

from dataclasses import dataclass

from backend.domain import Job, LabelSchema, ModelVersion
from backend.ports import Progress, Versions
from backend.services.acceptance import AutoAccept
from backend.services.findings import Findings
from backend.services.labeling import Delivered, Delivery


@dataclass(frozen=True, slots=True)
class Finished:
    """What arrived in Label Studio; `accepted` counts annotations made."""

    delivered: Delivered
    accepted: int


@dataclass(frozen=True, slots=True)
class Finishing:
    """Brings findings into Label Studio."""

    delivery: Delivery
    auto_accept: AutoAccept
    versions: Versions

    def finish(
        self,
        job: Job,
        schema: LabelSchema,
        version: ModelVersion,
        findings: Findings,
        progress: Progress,
        *,
        activate: bool,
    ) -> Finished:
        """Push all, then switch, then accept: nobody sees a half-labeled project.

        `activate` makes the version, which this job published, the current one.
        """
        project = job.request.project
        delivered = self.delivery.deliver(
            project,
            schema,
            version.name,
            findings.guessed,
            findings.hard,
            progress,
            is_new=activate,
        )
        if activate:
            self.versions.activate(project, version.name)
        current = self.versions.current(project)
        self.delivery.show(project, version.name, also=current)
        accepted = self.auto_accept.carry_out(job, version.name, findings.verdict)
        return Finished(delivered, accepted)
