"""What a version says of a project: guesses, hard examples, and what may be accepted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import HardExample, NoPrediction
from backend.domain.ids import TaskId
from backend.domain.jobs import JobRequest
from backend.domain.versions import Ledger
from backend.ports.progress import Progress
from backend.services import validation_sample
from backend.services.auto_accept import Verdict, judge
from backend.services.prediction.hard_examples import HardExamples
from backend.services.prediction.inference import Guessed, Guessing
from backend.services.project_tasks import Census
from backend.services.training.train import Material, Models
from backend.services.validation_sample import Lanes

NO_ROOM = (
    "nothing accepted: a guarantee would need more random validation images than a quarter of this "
    "project; label on, so that the model becomes better, or ask for a larger error"
)


ONLY_SOME = (
    "nothing accepted: the guarantee speaks of all unlabeled images, of which {left} are not among "
    "the chosen ones; start a job without choosing images"
)


@dataclass(frozen=True, slots=True)
class Findings:
    """`lane` and `guessed` are guesses on the validation lane and on the other unlabeled images."""

    guessed: Guessed
    lane: Guessed
    hard: Mapping[TaskId, HardExample]
    verdict: Verdict
    unreadable: Sequence[NoPrediction]

    def without(self, tasks: Collection[TaskId]) -> "Findings":
        """The same, with nothing said of these unlabeled tasks."""
        hard = {task: example for task, example in self.hard.items() if task not in tasks}
        return replace(self, guessed=self.guessed.without(tasks), hard=hard)


@dataclass(frozen=True, slots=True)
class Inspection:
    """Looks at a project through the models of one version."""

    guessing: Guessing
    hard_examples: HardExamples
    lanes: Lanes

    def findings(
        self,
        request: JobRequest,
        people: Census,
        ledger: Ledger,
        material: Material,
        models: Models,
        progress: Progress,
    ) -> Findings:
        """Guess everything, find the hard ones, and test on the lane where that is asked for."""
        guessed, gone = self.guessing.guess(models, material.unlabeled, progress)
        lane, _ = self.guessing.guess(models, material.validation, progress)
        hard = self.hard_examples.find(material, guessed, models, progress)
        found = Findings(guessed, lane, hard, Verdict(""), gone)
        if not request.accept:
            return found
        if because := _untestable(request, people, ledger):
            return replace(found, verdict=Verdict(because))
        chosen = material.labeled.take(validation_sample.overtaken(ledger, material.labeled.tasks))
        overtaken, _ = self.guessing.guess(models, chosen, progress)
        kinds = {control.name: control.kind for control in material.schema.controls}
        asked = {name: kinds[name] for name in guessed.guesses}
        terms = validation_sample.terms(request, ledger)
        verdict = judge(terms, asked, material.people, lane, guessed, overtaken)
        if not verdict.more or request.labels_are_random:
            return replace(found, verdict=verdict)
        extended = self.lanes.extend(request.project, ledger, people, verdict.more)
        if extended.lane == ledger.lane:
            return replace(found, verdict=replace(verdict, because=NO_ROOM))
        return replace(found.without(extended.lane), verdict=verdict)


def _untestable(request: JobRequest, people: Census, ledger: Ledger) -> str:
    """Why nothing can be accepted whatever the models say; empty where something may."""
    if left := _not_chosen(request, people, ledger):
        return ONLY_SOME.format(left=left)
    if waiting := validation_sample.waiting(ledger, people):
        return (
            f"nothing accepted: {len(waiting)} random images wait to be labeled in the tab "
            f"'{validation_sample.TAB}'; the guarantee rests on all of them"
        )
    return ""


def _not_chosen(request: JobRequest, people: Census, ledger: Ledger) -> int:
    """How many unlabeled images a job on chosen tasks leaves out; the lane waits anyway."""
    if not request.task_ids:
        return 0
    known = ledger.lane | set(request.task_ids)
    return sum(ref.task not in known for ref in people.unlabeled)
