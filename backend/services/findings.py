"""What a version says of a project: guesses, hard examples, and what may be accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain import HardExample, JobRequest, Ledger, NoPrediction, TaskId
from backend.ports import Progress
from backend.services import lanes
from backend.services.acceptance import Verdict, judge
from backend.services.census import Census
from backend.services.hard_examples import HardExamples
from backend.services.labeling import Guessed, Guessing
from backend.services.lanes import Lanes
from backend.services.learning import Material, Models

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
    """`lane` and `guessed` are guesses on the validation lane and on the unlabeled images."""

    guessed: Guessed
    lane: Guessed
    hard: Mapping[TaskId, HardExample]
    verdict: Verdict
    unreadable: Sequence[NoPrediction]


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
        verdict = self._verdict(request, people, ledger, material, lane, guessed)
        return Findings(guessed, lane, hard, verdict, gone)

    def _verdict(
        self,
        request: JobRequest,
        people: Census,
        ledger: Ledger,
        material: Material,
        lane: Guessed,
        guessed: Guessed,
    ) -> Verdict:
        if not request.accept:
            return Verdict("")
        if left := _not_chosen(request, people, ledger):
            return Verdict(ONLY_SOME.format(left=left))
        if left := lanes.waiting(ledger, people):
            return Verdict(
                f"nothing accepted: {len(left)} random images wait to be labeled in the tab "
                f"'{lanes.TAB}'; the guarantee rests on all of them"
            )
        kinds = {control.name: control.kind for control in material.schema.controls}
        asked = {name: kinds[name] for name in guessed.guesses}
        verdict = judge(lanes.terms(request, ledger), asked, material.people, lane, guessed)
        if not verdict.more or request.labels_are_random:
            return verdict
        extended = self.lanes.extend(request.project, ledger, people, verdict.more)
        return verdict if extended.lane != ledger.lane else replace(verdict, because=NO_ROOM)


def _not_chosen(request: JobRequest, people: Census, ledger: Ledger) -> int:
    """How many unlabeled images a job on chosen tasks leaves out; the lane waits anyway."""
    if not request.task_ids:
        return 0
    known = ledger.lane | set(request.task_ids)
    return sum(ref.task not in known for ref in people.unlabeled)
