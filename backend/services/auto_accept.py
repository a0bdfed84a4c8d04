"""Auto-accept: create the annotations that a verdict allows, remember them, and undo them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backend.domain.errors import NotFound
from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Job
from backend.domain.versions import Acceptance, Certificate, Ledger
from backend.policies.certification.verdict import Verdict
from backend.ports.label_studio import PredictionAcceptor
from backend.ports.stores import Ledgers


@dataclass(frozen=True, slots=True)
class AutoAccept:
    """Creates and deletes the annotations of jobs."""

    label_studio: PredictionAcceptor
    ledgers: Ledgers

    def carry_out(self, job: Job, version: VersionName, verdict: Verdict) -> int:
        """Accept the predictions; returns the number of annotations created.

        The attempt and the tasks are written to the ledger first. A crash then neither hides an
        attempt nor makes a model's label look like a person's.
        """
        project, tasks = job.request.project, verdict.tasks
        acceptance = Acceptance(version, tasks, (), verdict.certificates, spent=verdict.spent)
        self.ledgers.change(project, lambda ledger: _tested(ledger, job.id, verdict, acceptance))
        if not tasks:
            return 0
        made = tuple(self.label_studio.accept(project, version, tasks))
        done = replace(acceptance, annotations=made)
        self.ledgers.change(project, lambda ledger: _with(ledger, job.id, done))
        return len(made)

    def undo(self, project: ProjectId, job: JobId) -> int:
        """Delete the annotations that a job created; returns their number.

        Raises:
            NotFound: when the job accepted nothing, or was undone before.
        """
        found = _standing(self.ledgers.load(project), job)
        if found is None:
            raise NotFound(f"job {job} accepted nothing that could be taken back")
        made = found.annotations or self.label_studio.untouched(project, found.tasks)
        self.label_studio.take_back(project, found.tasks, made)
        self.ledgers.change(project, lambda ledger: _undone(ledger, job, found))
        return len(made)

    def certified(self, project: ProjectId) -> Mapping[VersionName, Certificate]:
        """Return the certificate of the newest acceptance of each version, unless undone.

        The card of a version is written before its job accepts and never changes, so it lacks
        certificates that came later, by pre-labeling or because the version stayed in use.
        """
        made = self.ledgers.load(project).acceptances.values()
        return {
            one.version: one.certificates[0] for one in made if one.certificates and not one.undone
        }

    def accepted_by(self, project: ProjectId, job: JobId) -> int:
        """Return how many annotations `undo` would delete at most."""
        found = _standing(self.ledgers.load(project), job)
        return len(found.annotations or found.tasks) if found else 0


def _standing(ledger: Ledger, job: JobId) -> Acceptance | None:
    found = ledger.acceptances.get(job)
    return None if found is None or found.undone else found


def _tested(ledger: Ledger, job: JobId, verdict: Verdict, acceptance: Acceptance) -> Ledger:
    tested = replace(
        ledger, spent=ledger.spent | verdict.spent, attempts=ledger.attempts + verdict.attempts
    )
    return _with(tested, job, acceptance) if verdict.tasks else tested


def _undone(ledger: Ledger, job: JobId, found: Acceptance) -> Ledger:
    """Return the images to the audit sample that stood for what was accepted."""
    back = replace(ledger, spent=ledger.spent - found.spent)
    return _with(back, job, replace(found, undone=True))


def _with(ledger: Ledger, job: JobId, acceptance: Acceptance) -> Ledger:
    return replace(ledger, acceptances={**ledger.acceptances, job: acceptance})
