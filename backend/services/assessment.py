"""Assess a project by one version: predictions, hard examples, and what may be accepted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import HardExample, NoPrediction
from backend.domain.batches import ProjectPredictions
from backend.domain.ids import TaskId
from backend.domain.jobs import JobRequest
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Ledger
from backend.policies.certification.verdict import AcceptanceData, Verdict, judge
from backend.ports.progress import Progress
from backend.services import audit_sample
from backend.services.audit_sample import AuditSamples
from backend.services.labeling_round import LabelingRound
from backend.services.prediction.hard_examples import HardExamples
from backend.services.prediction.inference import Predictor
from backend.services.project_tasks import ProjectTasks
from backend.services.training.train import Models

NO_ROOM = (
    "nothing accepted: a guarantee would need more random validation images than a quarter of this "
    "project; label more images, so that the model becomes better, or allow a larger error"
)


ONLY_SOME = (
    "nothing accepted: the guarantee covers all unlabeled images, and {left} of them are not among "
    "the chosen ones; start a job without choosing images"
)


@dataclass(frozen=True, slots=True)
class Assessment:
    """`audit`: predictions on the audit sample; `predicted`: on the other unlabeled images."""

    predicted: ProjectPredictions
    audit: ProjectPredictions
    hard: Mapping[TaskId, HardExample]
    verdict: Verdict
    unreadable: Sequence[NoPrediction]

    def without(self, tasks: Collection[TaskId]) -> "Assessment":
        """Leave out the predictions of these tasks."""
        hard = {task: example for task, example in self.hard.items() if task not in tasks}
        return replace(self, predicted=self.predicted.without(tasks), hard=hard)


@dataclass(frozen=True, slots=True)
class Assessor:
    """Assesses a project by the models of one version."""

    predictor: Predictor
    hard_examples: HardExamples
    audits: AuditSamples

    def assess(
        self, round_: LabelingRound, models: Models, seen: frozenset[TaskId], progress: Progress
    ) -> Assessment:
        """Predict all images, find the hard ones, and test for auto-accept if the job asks for it.

        Args:
            round_: whose images to assess.
            models: of one version.
            seen: tasks that this version was trained or measured on; they are no validation images.
            progress: told about each prediction.
        """
        dataset = round_.dataset.unseen_by(seen)
        predicted, unreadable = self.predictor.predict(models, dataset.unlabeled, progress)
        audit, _ = self.predictor.predict(models, dataset.validation, progress)
        hard = self.hard_examples.find(dataset, predicted, models, progress)
        assessment = Assessment(predicted, audit, hard, Verdict(""), unreadable)
        if not round_.request.accept:
            return assessment
        if reason := _untestable(round_.request, round_.tasks, round_.ledger):
            return replace(assessment, verdict=Verdict(reason))
        verdict = self._test(round_, assessment, models, progress)
        return self._extend(round_, replace(assessment, verdict=verdict))

    def _test(
        self, round_: LabelingRound, assessment: Assessment, models: Models, progress: Progress
    ) -> Verdict:
        """Test on the audit sample which predictions may be accepted."""
        labeled, ledger = round_.dataset.labeled, round_.ledger
        chosen = labeled.take(audit_sample.labeled_since(ledger, labeled.tasks))
        labeled_since, _ = self.predictor.predict(models, chosen, progress)
        kinds = {
            control.name: control.kind
            for control in round_.schema.controls
            if control.name in assessment.predicted.predictions
        }
        data = AcceptanceData(
            audit=assessment.audit,
            pool=assessment.predicted,
            labeled_since=labeled_since,
            annotations=round_.dataset.annotations,
        )
        return judge(data, kinds, audit_sample.terms(round_.request, ledger))

    def _extend(self, round_: LabelingRound, assessment: Assessment) -> Assessment:
        """Add the images to the audit sample that the test found missing."""
        verdict = assessment.verdict
        if not verdict.more or round_.request.labels_are_random:
            return assessment
        extended = self.audits.extend(round_.project, round_.ledger, round_.tasks, verdict.more)
        if extended.audit == round_.ledger.audit:
            return replace(assessment, verdict=replace(verdict, reason=NO_ROOM))
        return assessment.without(extended.audit)


def _untestable(request: JobRequest, tasks: ProjectTasks, ledger: Ledger) -> str:
    """Say why nothing can be accepted by any model; empty if something may."""
    if left := _not_chosen(request, tasks, ledger):
        return ONLY_SOME.format(left=left)
    if waiting := audit_sample.waiting(ledger, tasks):
        return (
            f"nothing accepted: {len(waiting)} random images wait to be labeled in the tab "
            f"'{TabTitle.AUDIT}'; the guarantee rests on all of them"
        )
    return ""


def _not_chosen(request: JobRequest, tasks: ProjectTasks, ledger: Ledger) -> int:
    """Count the unlabeled images outside the audit sample that a job on chosen tasks leaves out."""
    if not request.task_ids:
        return 0
    known = ledger.audit | set(request.task_ids)
    return sum(ref.task not in known for ref in tasks.unlabeled)
