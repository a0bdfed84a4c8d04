"""What both kinds of job end with: predictions pushed, their version shown, labels accepted."""

from dataclasses import dataclass

from backend.domain import Job, Kind, LabelSchema, ModelVersion, TaskId
from backend.ports import Progress, Versions
from backend.services.acceptance import AutoAccept
from backend.services.findings import Findings
from backend.services.labeling import Delivered, Delivery

TAB = "Hard examples (nothing found)"
"""Lists what `Hard examples` cannot: a prediction without a region has no place for its reasons."""


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

        `activate` makes the version the current one.
        """
        project = job.request.project
        delivered = self.delivery.deliver(
            project, schema, version.name, findings.guessed, findings.hard, progress
        )
        if activate:
            self.versions.activate(project, version.name)
        current = self.versions.current(project)
        self.delivery.show(project, version.name, also=current)
        if any(control.kind is not Kind.SINGLE for control in schema.controls):
            self.delivery.label_studio.list_in_tab(project, TAB, hard_and_empty(findings))
        accepted = self.auto_accept.carry_out(job, version.name, findings.verdict)
        return Finished(delivered, accepted)


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
