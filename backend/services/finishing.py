"""What both kinds of job end with: predictions pushed, their version shown, labels accepted."""

from dataclasses import dataclass

from backend.domain import Job, LabelSchema, ModelVersion, VersionName
from backend.ports import Progress, Versions
from backend.services.acceptance import AutoAccept
from backend.services.findings import Findings
from backend.services.labeling import Delivered, Delivery
from backend.services.tidying import Tidying


@dataclass(frozen=True, slots=True)
class Finished:
    """What arrived in Label Studio, of the version `shown`; `accepted` counts annotations made.

    `tidying` is for what is left to put in order.
    """

    shown: VersionName
    delivered: Delivered
    accepted: int
    tidying: Tidying


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
        """Push all, then switch, then accept, then tidy: nobody sees a half-labeled project.

        `activate` makes the version the current one.
        """
        project = job.request.project
        delivered = self.delivery.deliver(
            project, schema, version.name, findings.guessed, findings.hard, progress
        )
        if activate:
            self.versions.activate(project, version.name)
        self.delivery.show(project, version.name)
        accepted = self.auto_accept.carry_out(job, version.name, findings.verdict)
        current, tidying = self.versions.current(project), Tidying()
        keep = {version.name, current.name} if current else {version.name}
        self.delivery.tidy(project, keep, tidying)
        return Finished(version.name, delivered, accepted, tidying)
