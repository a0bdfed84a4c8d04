"""The audit sample of a project: drawn at random, labeled by people, never trained on.

Its images have no prediction before people label them, so that no label is influenced by the model
it will test. The test waits until the whole sample is labeled: the part that people happened to
label first is no random sample. Images imported later join at the same rate, so that the sample
stays representative of all unlabeled images.
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
"""Share of the labels declared to be random that become the audit sample."""

SMALLEST = 50
LARGEST_PART = 0.25
"""Share of all images that may be in the sample at a time: no model is trained on them."""


class AuditedProject(TaskReader, PredictionEditor, TabEditor, Protocol):
    """A project whose audit sample is listed, and cleared of predictions."""


@dataclass(frozen=True, slots=True)
class AuditSamples:
    """Draws and extends the audit samples of projects."""

    label_studio: AuditedProject
    ledgers: Ledgers
    seed: int

    def draw(self, request: JobRequest, tasks: ProjectTasks) -> Ledger:
        """Return the ledger, with an audit sample if the job asks for a guarantee; unsaved."""
        ledger = self.ledgers.load(request.project)
        if not request.accept:
            return ledger
        ledger = self._joined(ledger, tasks)
        if ledger.open:
            return ledger
        if request.labels_are_random:
            drawn = audit(_labeled(tasks), self.seed, RANDOM_PART, _used(ledger))
            part = replace(ledger, audit=ledger.audit | set(drawn), from_labels=True)
        else:
            part = self._extended(ledger, tasks, _first_size(request, tasks))
        return replace(part, before=frozenset(_labeled(tasks)) - part.audit)

    def keep(self, project: ProjectId, ledger: Ledger, tasks: ProjectTasks) -> None:
        """Save the audit sample, and list in its tab what is left to label."""
        self.ledgers.change(project, lambda now: _with_audit(now, ledger))
        if ledger.audit:
            left = waiting(ledger, tasks)
            self.label_studio.forget_predictions(project, left)
            self.label_studio.list_in_tab(project, TabTitle.AUDIT, left)

    def extend(self, project: ProjectId, ledger: Ledger, tasks: ProjectTasks, more: int) -> Ledger:
        """Add `more` unlabeled tasks to the sample, as far as it may grow, and save it."""
        extended = self._extended(ledger, tasks, more)
        self.keep(project, extended, tasks)
        return extended

    def with_unanswered(
        self, project: ProjectId, schema: LabelSchema, ledger: Ledger, tasks: ProjectTasks
    ) -> ProjectTasks:
        """Add the images of the sample that people opened and did not label, such as skipped ones.

        Similar ones are among the unlabeled images, so the test counts them as wrong answers.
        """
        known = {*_labeled(tasks), *(ref.task for ref in tasks.unlabeled)}
        missing = sorted(ledger.open - known)
        if not missing:
            return tasks
        return replace(tasks, unanswered=tuple(self.label_studio.refs(project, schema, missing)))

    def _joined(self, ledger: Ledger, tasks: ProjectTasks) -> Ledger:
        """Add newly imported tasks to the sample at the current sampling rate.

        If it would exceed its limit, lower the rate and drop members accordingly.
        """
        unlabeled = [ref.task for ref in tasks.unlabeled]
        new = audit(unlabeled, self.seed, ledger.share, _used(ledger))
        if not new:
            return ledger
        joined, most = ledger.open | set(new), _most(tasks)
        if len(joined) <= most:
            return replace(ledger, audit=ledger.audit | set(new))
        share = share_of(joined, self.seed, most)
        kept = frozenset(audit(joined, self.seed, share))
        gone = (joined - kept).intersection(_labeled(tasks))
        return replace(ledger, audit=ledger.spent | kept, share=share, before=ledger.before | gone)

    def _extended(self, ledger: Ledger, tasks: ProjectTasks, more: int) -> Ledger:
        room, used = _most(tasks) - len(ledger.open), _used(ledger)
        unlabeled = [ref.task for ref in tasks.unlabeled if ref.task not in used]
        share = share_of(unlabeled, self.seed, min(more, room))
        drawn = audit(unlabeled, self.seed, share)
        return replace(ledger, audit=ledger.audit | set(drawn), share=max(share, ledger.share))


def waiting(ledger: Ledger, tasks: ProjectTasks) -> tuple[TaskId, ...]:
    """Return the tasks of the sample that are neither labeled nor skipped."""
    return tuple(ref.task for ref in tasks.unlabeled if ref.task in ledger.audit)


def labeled_since(ledger: Ledger, labeled: Sequence[TaskId]) -> list[int]:
    """Return the indices of tasks that people chose to label after the sample was drawn."""
    stood_for = ledger.before | ledger.audit | ledger.accepted
    return [position for position, task in enumerate(labeled) if task not in stood_for]


def terms(request: JobRequest, ledger: Ledger) -> Terms:
    """Return the terms of the next test of this project."""
    assumption = LABELS_ARE_RANDOM if ledger.from_labels else ""
    return Terms(request.max_error, request.confidence, ledger.attempts + 1, assumption)


def _with_audit(now: Ledger, drawn: Ledger) -> Ledger:
    """Put the sample into the newest ledger, and keep what else was saved to it meanwhile."""
    return replace(
        now,
        audit=drawn.audit,
        share=drawn.share,
        before=drawn.before,
        from_labels=now.from_labels or drawn.from_labels,
    )


def _used(ledger: Ledger) -> frozenset[TaskId]:
    return ledger.audit | ledger.accepted


def _labeled(tasks: ProjectTasks) -> list[TaskId]:
    return [image.image.task for image in tasks.labeled]


def _most(tasks: ProjectTasks) -> int:
    """Return how many images the sample may have at a time."""
    return max(SMALLEST, int(LARGEST_PART * (len(tasks.labeled) + len(tasks.unlabeled))))


def _first_size(request: JobRequest, tasks: ProjectTasks) -> int:
    """Return a size that certifies something with a good model in four of five cases."""
    nobody = unseen(len(tasks.unlabeled))
    return max(SMALLEST, how_many_more(nobody, terms(request, Ledger())) or 0)
