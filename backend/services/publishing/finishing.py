"""What both kinds of job end with: predictions pushed, their version shown, labels accepted."""

from dataclasses import dataclass

from backend.domain.ids import TaskId, VersionName
from backend.domain.jobs import Job
from backend.domain.schema import Kind, LabelSchema
from backend.domain.versions import ModelVersion
from backend.ports.progress import Progress
from backend.ports.stores import Versions
from backend.services.auto_accept import AutoAccept
from backend.services.prediction.assessment import Findings
from backend.services.publishing.cleanup import Tidying
from backend.services.publishing.delivery import Delivered, Delivery

TAB = "Hard examples (nothing found)"
"""Lists what `Hard examples` cannot: a prediction without a region has no place for its reasons."""


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
        self.delivery.show(project, version.name)
        accepted = self.auto_accept.carry_out(job, version.name, findings.verdict)
        current, tidying = self.versions.current(project), Tidying()
        keep = {version.name, current.name} if current else {version.name}
        self.delivery.tidy(project, keep, tidying)
        if any(control.kind is not Kind.SINGLE for control in schema.controls):
            tidying(
                "listing the hard examples on which nothing was found",
                lambda: self.delivery.list_in_tab(project, TAB, hard_and_empty(findings)),
            )
        return Finished(version.name, delivered, accepted, tidying)


def hard_and_empty(findings: Findings) -> list[TaskId]:
    """Hard examples of which no control says anything, the hardest first."""
    answers = findings.guessed.guesses.values()
    said = {
        task
        for guesses in answers
        for task, answer in zip(findings.guessed.pictures.tasks, guesses.answers, strict=True)
        if answer.labels
    }
    empty = [example for example in findings.hard.values() if example.task not in said]
    return [example.task for example in sorted(empty, key=lambda one: -one.coefficient)]
