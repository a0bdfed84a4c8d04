"""Auto-accept: create the annotations that a certificate covers, record and undo them.

The ledger is written before and after every call that creates annotations, and after every one
that deletes them. Whenever a job ends or is killed, it names what exists and what is in doubt.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.audits import AuditCertificate, CertificateFile
from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import JobId, ProjectId, TaskId, VersionName
from backend.domain.steps import Step
from backend.domain.versions import Acceptance, Ledger
from backend.policies.certification import risk
from backend.ports.jobs import AnnotationChanges
from backend.ports.label_studio import PredictionAcceptor, TakenBack
from backend.ports.progress import Progress
from backend.ports.stores import Ledgers
from backend.services.publishing.cleanup import Cleanup

ACCEPTED_AT_ONCE = 300
DELETED_AT_ONCE = 150
"""Tasks between two looks at requests to stop: seconds, half a minute if deleted one by one."""


@dataclass(frozen=True, slots=True)
class Undone:
    """Numbers of annotations: deleted, and kept because people changed or are changing them."""

    deleted: int
    changed: int
    drafted: int


@dataclass(frozen=True, slots=True)
class AutoAccept:
    """Creates and deletes the annotations of jobs, and discounts them among people's changes."""

    label_studio: PredictionAcceptor
    ledgers: Ledgers
    changes: AnnotationChanges

    def carry_out(
        self, project: ProjectId, job: JobId, file: CertificateFile, progress: Progress
    ) -> int:
        """Accept the predictions that a certificate covers; returns how many annotations it made.

        What an earlier try has accepted already is left as it is.

        Raises:
            Stopped: between two batches; what was accepted before stays.
            BadInput: when the job was undone meanwhile.
        """
        version, made = file.audit.version, 0
        self.settle(project)
        begun = self.ledgers.change(project, lambda now: _begun(now, job, file))
        done = set(begun.acceptances[job].tasks)
        # neighbors in one batch: Label Studio then lists a range of ids, not 90 ids a request
        tasks = sorted(one.task for one in file.accepted if one.task not in done)
        for start, batch in _batches(tasks, ACCEPTED_AT_ONCE):
            progress(Step.ACCEPT, start, len(tasks))
            made += self._accept(project, job, version, batch)
        self._change(project, job, lambda now: replace(now, complete=True))
        Cleanup()("reading the new labels", lambda: self.label_studio.copy_labels(project))
        return made

    def settle(self, project: ProjectId) -> None:
        """Find and record what calls made whose outcome no job lived to record."""
        acceptances = self.ledgers.load(project).acceptances
        for job, found in acceptances.items():
            if found.pending:
                others = (one for name, one in acceptances.items() if name != job)
                known = {task for one in others for task in one.tasks}
                lost = [task for task in found.pending if task not in known]
                made = self.label_studio.find_accepted(project, found.version, lost)
                self.changes.discount(project, len(made))
                self._change(project, job, lambda now, made=made: _recorded(now, made))

    def undo(self, project: ProjectId, job: JobId, progress: Progress) -> Undone:
        """Delete the annotations that a job created; goes on where an earlier undo broke off.

        Raises:
            NotFound: when the job accepted nothing, or was undone before.
            Stopped: between two batches; what was deleted before stays deleted.
        """
        self.require_accepted(project, job)
        self.settle(project)
        made = self._change(project, job, lambda now: replace(now, complete=False)).made
        deleted, changed, drafted = set[TaskId](), set[TaskId](), set[TaskId]()
        for start, batch in _batches(sorted(made), DELETED_AT_ONCE):
            progress(Step.UNDO, start, len(made))
            done = self._take_back(project, {task: made[task] for task in batch})
            deleted |= done.deleted
            changed |= done.changed
            drafted |= done.drafted
            gone = set(batch) - done.drafted
            self._change(project, job, lambda now, gone=gone: _without(now, gone))
        self.ledgers.change(project, lambda ledger: _returned(ledger, job))
        return Undone(len(deleted), len(changed), len(drafted))

    def require_accepted(self, project: ProjectId, job: JobId) -> None:
        """Raises NotFound when there is nothing to undo."""
        if _standing(self.ledgers.load(project), job) is None:
            raise NotFound(f"job {job} accepted nothing that could be undone")

    def certified(self, project: ProjectId) -> Mapping[VersionName, AuditCertificate]:
        """Return the certificate of the newest acceptance of each version that holds."""
        return {
            one.version: one.certificate
            for one in self.ledgers.load(project).acceptances.values()
            if one.certificate and one.tasks and one.complete and not one.undone
        }

    def accepted_by(self, project: ProjectId, job: JobId) -> int:
        """Return how many annotations `undo` would delete at most."""
        found = _standing(self.ledgers.load(project), job)
        return len(found.tasks) + len(found.pending) if found else 0

    def _accept(
        self, project: ProjectId, job: JobId, version: VersionName, batch: tuple[TaskId, ...]
    ) -> int:
        self._change(project, job, lambda now: replace(now, pending=batch))
        made = self.label_studio.accept(project, version, batch)
        self.changes.discount(project, len(made))
        try:
            self._change(project, job, lambda now: _recorded(now, made))
        except BadInput:
            self._take_back(project, made)
            raise
        return len(made)

    def _take_back(self, project: ProjectId, made: Mapping[TaskId, int]) -> TakenBack:
        relabeled = self.ledgers.load(project).relabeled
        done = self.label_studio.take_back(project, made, relabeled)
        self.changes.discount(project, len(done.deleted))
        return done

    def _change(
        self, project: ProjectId, job: JobId, change: Callable[[Acceptance], Acceptance]
    ) -> Acceptance:
        """Change the newest acceptance of a job in the ledger; returns it.

        Raises:
            BadInput: when the job was undone.
        """

        def apply(ledger: Ledger) -> Ledger:
            now = ledger.acceptances[job]
            if now.undone:
                raise BadInput(f"job {job} was undone while it worked", "Start a new one")
            return _with(ledger, job, change(now))

        return self.ledgers.change(project, apply).acceptances[job]


def _batches(tasks: Sequence[TaskId], size: int) -> Iterator[tuple[int, tuple[TaskId, ...]]]:
    """Split the tasks into batches; yields the number of tasks before each, and the batch."""
    return ((start, tuple(tasks[start : start + size])) for start in range(0, len(tasks), size))


def _standing(ledger: Ledger, job: JobId) -> Acceptance | None:
    found = ledger.acceptances.get(job)
    return None if found is None or found.undone else found


def _begun(ledger: Ledger, job: JobId, file: CertificateFile) -> Ledger:
    """Begin an acceptance, or go on with one that broke off."""
    if job in ledger.acceptances:
        return ledger
    audit, certificate = file.audit, file.certificate
    begun = Acceptance(audit.version, (), (), audit.id, certificate, complete=False)
    counted = replace(ledger, risk=risk.accept(ledger.risk, audit.id, certificate.allowed))
    return _with(counted, job, begun)


def _recorded(acceptance: Acceptance, made: Mapping[TaskId, int]) -> Acceptance:
    return replace(acceptance.holding({**acceptance.made, **made}), pending=())


def _without(acceptance: Acceptance, tasks: Collection[TaskId]) -> Acceptance:
    left = {task: one for task, one in acceptance.made.items() if task not in tasks}
    return acceptance.holding(left)


def _returned(ledger: Ledger, job: JobId) -> Ledger:
    """Mark an acceptance as undone once nothing of it is left, mistakes included."""
    found = ledger.acceptances[job]
    if found.tasks or found.pending:
        return ledger
    if found.audit is not None:
        ledger = replace(ledger, risk=risk.undo(ledger.risk, found.audit))
        if ledger.open_audit and ledger.open_audit.id == found.audit:  # its acceptance broke off
            ledger = replace(ledger, open_audit=None)
    return _with(ledger, job, replace(found, undone=True))


def _with(ledger: Ledger, job: JobId, acceptance: Acceptance) -> Ledger:
    return replace(ledger, acceptances={**ledger.acceptances, job: acceptance})
