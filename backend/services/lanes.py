"""The random validation lane: drawn by us, labeled by people, never trained on.

Its images get no prediction before people labeled them, so that nothing leans on what the test will
judge. Only a lane that is labeled as a whole counts: the part that people happened to label first
is no random sample.
"""

from dataclasses import dataclass, replace

from backend.domain import JobRequest, Ledger, ProjectId, TaskId
from backend.policies.certification import Terms
from backend.policies.lane import LABELS_ARE_RANDOM, lane
from backend.policies.validation_size import how_many_more, unseen
from backend.ports import LabelStudio, Ledgers
from backend.services.census import Census

TAB = "Label first (random)"

RANDOM_PART = 0.5
"""Share of labels that are said to be random which become the lane."""

SMALLEST = 50
LARGEST_PART = 0.25
"""Share of all images that may be in the lane at a time: labels there teach no model."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Draws and extends the lanes of projects."""

    label_studio: LabelStudio
    ledgers: Ledgers
    seed: int

    def draw(self, request: JobRequest, people: Census) -> Ledger:
        """The project's ledger, with a lane as soon as a guarantee is wanted; not kept yet."""
        ledger = self.ledgers.load(request.project)
        if not request.accept or ledger.lane - ledger.spent:
            return ledger
        if request.labels_are_random:
            labeled = [image.image.task for image in people.labeled]
            drawn = lane(labeled, self.seed, RANDOM_PART, _used(ledger))
            return replace(ledger, lane=ledger.lane | set(drawn), from_labels=True)
        return self._extended(ledger, people, _first_size(request, people))

    def keep(self, project: ProjectId, ledger: Ledger, people: Census) -> None:
        """Remember its lane, and list what is to be labeled, so that people may begin at once."""
        self.ledgers.change(project, lambda now: _with_lane(now, ledger))
        if ledger.lane:
            self.label_studio.list_in_tab(project, TAB, waiting(ledger, people))

    def extend(self, project: ProjectId, ledger: Ledger, people: Census, more: int) -> Ledger:
        """The ledger with `more` unlabeled tasks in the lane, as far as that may grow; kept."""
        extended = self._extended(ledger, people, more)
        self.keep(project, extended, people)
        return extended

    def _extended(self, ledger: Ledger, people: Census, more: int) -> Ledger:
        images = len(people.labeled) + len(people.unlabeled)
        room = max(SMALLEST, int(LARGEST_PART * images)) - len(ledger.lane - ledger.spent)
        unlabeled = [ref.task for ref in people.unlabeled]
        drawn = lane(unlabeled, self.seed, 1.0, _used(ledger))[: max(0, min(more, room))]
        return replace(ledger, lane=ledger.lane | set(drawn))


def waiting(ledger: Ledger, people: Census) -> tuple[TaskId, ...]:
    """Tasks of the lane that nobody labeled yet; those that people skipped do not wait."""
    return tuple(ref.task for ref in people.unlabeled if ref.task in ledger.lane)


def terms(request: JobRequest, ledger: Ledger) -> Terms:
    """What the next test of this project has to keep."""
    assumption = LABELS_ARE_RANDOM if ledger.from_labels else ""
    return Terms(request.max_error, request.confidence, ledger.attempts + 1, assumption)


def _with_lane(now: Ledger, drawn: Ledger) -> Ledger:
    """What others remembered while the lane was drawn stays remembered."""
    from_labels = now.from_labels or drawn.from_labels
    return replace(now, lane=now.lane | drawn.lane, from_labels=from_labels)


def _used(ledger: Ledger) -> frozenset[TaskId]:
    return ledger.lane | ledger.accepted


def _first_size(request: JobRequest, people: Census) -> int:
    """As many as would certify something with a good model, in four of five cases."""
    nobody = unseen(len(people.unlabeled))
    return max(SMALLEST, how_many_more(nobody, terms(request, Ledger())) or 0)
