"""What both kinds of job end with: predictions pushed, their version shown, labels accepted."""

from dataclasses import dataclass

from backend.domain.ids import TaskId, VersionName
from backend.domain.jobs import Job
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.versions import ModelVersion
from backend.ports.progress import Progress
from backend.ports.stores import Versions
from backend.services.assessment import Assessment
from backend.services.auto_accept import AutoAccept
from backend.services.publishing.cleanup import Cleanup
from backend.services.publishing.publisher import PublishedPredictions, Publisher

TAB = "Hard examples (nothing found)"
"""Lists what `Hard examples` cannot: a prediction without a region has no place for its reasons."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What arrived in Label Studio, of the version `shown`; `accepted` counts annotations made.

    `cleanup` is for what is left to put in order.
    """

    shown: VersionName
    published: PublishedPredictions
    accepted: int
    cleanup: Cleanup


@dataclass(frozen=True, slots=True)
class Finishing:
    """Brings findings into Label Studio."""

    publisher: Publisher
    auto_accept: AutoAccept
    versions: Versions

    def finish(
        self,
        job: Job,
        schema: LabelSchema,
        version: ModelVersion,
        findings: Assessment,
        progress: Progress,
        *,
        activate: bool,
    ) -> Finished:
        """Push all, then switch, then accept, then tidy: nobody sees a half-labeled project.

        `activate` makes the version, which this job published, the current one.
        """
        project = job.request.project
        published = self.publisher.publish(
            project,
            schema,
            version.name,
            findings.predicted,
            findings.hard,
            progress,
            is_new=activate,
        )
        if activate:
            self.versions.activate(project, version.name)
        self.publisher.show(project, version.name)
        accepted = self.auto_accept.carry_out(job, version.name, findings.verdict)
        current, cleanup = self.versions.current(project), Cleanup()
        keep = {version.name, current.name} if current else {version.name}
        self.publisher.clean_up(project, keep, cleanup)
        if any(control.kind is not TaskKind.SINGLE for control in schema.controls):
            cleanup(
                "listing the hard examples on which nothing was found",
                lambda: self.publisher.list_in_tab(project, TAB, hard_and_empty(findings)),
            )
        return Finished(version.name, published, accepted, cleanup)


def hard_and_empty(findings: Assessment) -> list[TaskId]:
    """Hard examples of which no control says anything, the hardest first."""
    answers = findings.predicted.predictions.values()
    said = {
        task
        for predictions in answers
        for task, answer in zip(findings.predicted.images.tasks, predictions.answers, strict=True)
        if answer.labels
    }
    empty = [example for example in findings.hard.values() if example.task not in said]
    return [example.task for example in sorted(empty, key=lambda one: -one.coefficient)]
