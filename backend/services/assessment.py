"""What a version says of a project: guesses, hard examples, and what may be accepted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import HardExample, NoPrediction
from backend.domain.ids import TaskId
from backend.domain.jobs import JobRequest
from backend.domain.versions import Ledger
from backend.ports.progress import Progress
from backend.services import audit_sample
from backend.services.audit_sample import AuditSamples
from backend.services.auto_accept import Verdict, judge
from backend.services.prediction.hard_examples import HardExamples
from backend.services.prediction.inference import Predictor, ProjectPredictions
from backend.services.project_tasks import ProjectTasks
from backend.services.training.train import Dataset, Models

NO_ROOM = (
    "nothing accepted: a guarantee would need more random validation images than a quarter of this "
    "project; label on, so that the model becomes better, or ask for a larger error"
)


ONLY_SOME = (
    "nothing accepted: the guarantee speaks of all unlabeled images, of which {left} are not among "
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
        """The same, with nothing said of these unlabeled tasks."""
        hard = {task: example for task, example in self.hard.items() if task not in tasks}
        return replace(self, predicted=self.predicted.without(tasks), hard=hard)


@dataclass(frozen=True, slots=True)
class Assessor:
    """Looks at a project through the models of one version."""

    predictor: Predictor
    hard_examples: HardExamples
    audits: AuditSamples

    def findings(
        self,
        request: JobRequest,
        people: ProjectTasks,
        ledger: Ledger,
        dataset: Dataset,
        models: Models,
        progress: Progress,
    ) -> Assessment:
        """Guess everything, find the hard ones, and test on the lane where that is asked for."""
        predicted, gone = self.predictor.predict(models, dataset.unlabeled, progress)
        audit, _ = self.predictor.predict(models, dataset.validation, progress)
        hard = self.hard_examples.find(dataset, predicted, models, progress)
        found = Assessment(predicted, audit, hard, Verdict(""), gone)
        if not request.accept:
            return found
        if reason := _untestable(request, people, ledger):
            return replace(found, verdict=Verdict(reason))
        chosen = dataset.labeled.take(audit_sample.labeled_since(ledger, dataset.labeled.tasks))
        labeled_since, _ = self.predictor.predict(models, chosen, progress)
        kinds = {control.name: control.kind for control in dataset.schema.controls}
        asked = {name: kinds[name] for name in predicted.predictions}
        terms = audit_sample.terms(request, ledger)
        verdict = judge(terms, asked, dataset.people, audit, predicted, labeled_since)
        if not verdict.more or request.labels_are_random:
            return replace(found, verdict=verdict)
        extended = self.audits.extend(request.project, ledger, people, verdict.more)
        if extended.audit == ledger.audit:
            return replace(found, verdict=replace(verdict, reason=NO_ROOM))
        return replace(found.without(extended.audit), verdict=verdict)


def _untestable(request: JobRequest, people: ProjectTasks, ledger: Ledger) -> str:
    """Why nothing can be accepted whatever the models say; empty where something may."""
    if left := _not_chosen(request, people, ledger):
        return ONLY_SOME.format(left=left)
    if waiting := audit_sample.waiting(ledger, people):
        return (
            f"nothing accepted: {len(waiting)} random images wait to be labeled in the tab "
            f"'{audit_sample.TAB}'; the guarantee rests on all of them"
        )
    return ""


def _not_chosen(request: JobRequest, people: ProjectTasks, ledger: Ledger) -> int:
    """How many unlabeled images a job on chosen tasks leaves out; the lane waits anyway."""
    if not request.task_ids:
        return 0
    known = ledger.audit | set(request.task_ids)
    return sum(ref.task not in known for ref in people.unlabeled)
