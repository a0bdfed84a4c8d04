"""The random validation lane: drawn by us, labeled by people, never trained on.

Its images have no prediction before people labeled them, so that nothing leans on what the test
will judge. Only a lane that is labeled as a whole counts: the part that people happened to label
first is no random sample. Images that are imported later join it at the rate of those before, so
that it keeps standing for all that is unlabeled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from backend.domain.ids import ProjectId, TaskId
from backend.domain.jobs import JobRequest
from backend.domain.schema import LabelSchema
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Ledger
from backend.policies.certification.audit_sample import LABELS_ARE_RANDOM, audit, share_of
from backend.policies.certification.certificates import Terms
from backend.policies.certification.sample_size import how_many_more, unseen
from backend.ports.label_studio import PredictionEditor, TabEditor, TaskReader
from backend.ports.stores import Ledgers
from backend.services.project_tasks import ProjectTasks

RANDOM_PART = 0.5
"""Share of labels that are said to be random which become the lane."""

SMALLEST = 50
LARGEST_PART = 0.25
"""Share of all images that may be in the lane at a time: labels there teach no model."""


class AuditedProject(TaskReader, PredictionEditor, TabEditor, Protocol):
    """A project whose audit sample is listed, and cleared of predictions."""


@dataclass(frozen=True, slots=True)
class AuditSamples:
    """Draws and extends the lanes of projects."""

    label_studio: AuditedProject
    ledgers: Ledgers
    seed: int

    def draw(self, request: JobRequest, people: ProjectTasks) -> Ledger:
        """The project's ledger, with a lane as soon as a guarantee is wanted; not kept yet."""
        ledger = self.ledgers.load(request.project)
        if not request.accept:
            return ledger
        ledger = self._joined(ledger, people)
        if ledger.open:
            return ledger
        if request.labels_are_random:
            drawn = audit(_labeled(people), self.seed, RANDOM_PART, _used(ledger))
            part = replace(ledger, audit=ledger.audit | set(drawn), from_labels=True)
        else:
            part = self._extended(ledger, people, _first_size(request, people))
        return replace(part, before=frozenset(_labeled(people)) - part.audit)

    def keep(self, project: ProjectId, ledger: Ledger, people: ProjectTasks) -> None:
        """Remember its lane, and list what is to be labeled, so that people may begin at once."""
        self.ledgers.change(project, lambda now: _with_audit(now, ledger))
        if ledger.audit:
            left = waiting(ledger, people)
            self.label_studio.forget_predictions(project, left)
            self.label_studio.list_in_tab(project, TabTitle.AUDIT, left)

    def extend(self, project: ProjectId, ledger: Ledger, people: ProjectTasks, more: int) -> Ledger:
        """The ledger with `more` unlabeled tasks in the lane, as far as that may grow; kept."""
        extended = self._extended(ledger, people, more)
        self.keep(project, extended, people)
        return extended

    def with_unanswered(
        self, project: ProjectId, schema: LabelSchema, ledger: Ledger, people: ProjectTasks
    ) -> ProjectTasks:
        """With the images of the lane that people opened without answering: skipped, for example.

        Their like are among the unlabeled images, so the test has to reckon with them.
        """
        known = {*_labeled(people), *(ref.task for ref in people.unlabeled)}
        missing = sorted(ledger.open - known)
        if not missing:
            return people
        return replace(people, unanswered=tuple(self.label_studio.refs(project, schema, missing)))

    def _joined(self, ledger: Ledger, people: ProjectTasks) -> Ledger:
        """With newcomers by lot; where they are too many, with a smaller share of all."""
        unlabeled = [ref.task for ref in people.unlabeled]
        new = audit(unlabeled, self.seed, ledger.share, _used(ledger))
        if not new:
            return ledger
        joined, most = ledger.open | set(new), _most(people)
        if len(joined) <= most:
            return replace(ledger, audit=ledger.audit | set(new))
        share = share_of(joined, self.seed, most)
        kept = frozenset(audit(joined, self.seed, share))
        gone = (joined - kept).intersection(_labeled(people))
        return replace(ledger, audit=ledger.spent | kept, share=share, before=ledger.before | gone)

    def _extended(self, ledger: Ledger, people: ProjectTasks, more: int) -> Ledger:
        room, used = _most(people) - len(ledger.open), _used(ledger)
        unlabeled = [ref.task for ref in people.unlabeled if ref.task not in used]
        share = share_of(unlabeled, self.seed, min(more, room))
        drawn = audit(unlabeled, self.seed, share)
        return replace(ledger, audit=ledger.audit | set(drawn), share=max(share, ledger.share))


def waiting(ledger: Ledger, people: ProjectTasks) -> tuple[TaskId, ...]:
    """Tasks of the lane that nobody labeled yet; those that people skipped do not wait."""
    return tuple(ref.task for ref in people.unlabeled if ref.task in ledger.audit)


def labeled_since(ledger: Ledger, labeled: Sequence[TaskId]) -> list[int]:
    """Positions of those that people chose to label after the lane was drawn to stand for them."""
    stood_for = ledger.before | ledger.audit | ledger.accepted
    return [position for position, task in enumerate(labeled) if task not in stood_for]


def terms(request: JobRequest, ledger: Ledger) -> Terms:
    """What the next test of this project has to keep."""
    assumption = LABELS_ARE_RANDOM if ledger.from_labels else ""
    return Terms(request.max_error, request.confidence, ledger.attempts + 1, assumption)


def _with_audit(now: Ledger, drawn: Ledger) -> Ledger:
    """What others remembered while the lane was drawn stays remembered."""
    return replace(
        now,
        audit=drawn.audit,
        share=drawn.share,
        before=drawn.before,
        from_labels=now.from_labels or drawn.from_labels,
    )


def _used(ledger: Ledger) -> frozenset[TaskId]:
    return ledger.audit | ledger.accepted


def _labeled(people: ProjectTasks) -> list[TaskId]:
    return [image.image.task for image in people.labeled]


def _most(people: ProjectTasks) -> int:
    """Images that the lane may have at a time."""
    return max(SMALLEST, int(LARGEST_PART * (len(people.labeled) + len(people.unlabeled))))


def _first_size(request: JobRequest, people: ProjectTasks) -> int:
    """As many as would certify something with a good model, in four of five cases."""
    nobody = unseen(len(people.unlabeled))
    return max(SMALLEST, how_many_more(nobody, terms(request, Ledger())) or 0)
