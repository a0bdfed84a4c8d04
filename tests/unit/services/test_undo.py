"""What a job accepts, whatever happens to it, and how that is undone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.domain.answers import Choices, ImageRef, Prediction
from backend.domain.audits import (
    AuditCertificate,
    AuditTerms,
    CertificateFile,
    FrozenPrediction,
    OpenAudit,
)
from backend.domain.errors import BadInput, LabelStudioUnreachable, NotFound, Refused, Stopped
from backend.domain.ids import AuditId, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job, JobRequest, JobState, Mode
from backend.domain.steps import Step
from backend.domain.versions import Ledger
from backend.policies.certification import risk
from backend.services.auto_accept import ACCEPTED_AT_ONCE, DELETED_AT_ONCE, AutoAccept, Undone
from backend.services.undo import Undo, UndoQueue
from backend.stores.ledgers import LedgerFiles
from backend.use_cases import utc_now
from tests.fakes.audited_projects import drawn_audit
from tests.fakes.changes import FakeChanges
from tests.fakes.jobs import FakeJobs
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.steps import FakeSteps, quiet
from tests.fakes.world import CHOICE

PROJECT = ProjectId(1)
JOB, LATER = JobId("job-1"), JobId("job-2")
VERSION, OTHER = VersionName("al-0001-aaaa"), VersionName("al-0002-bbbb")
CAT, DOG = ({CHOICE: Choices((Label(name),))} for name in ("cat", "dog"))
TASKS = tuple(TaskId(number) for number in range(1, 401))
ALLOWED, RISK = 20, 0.0375


def nothing():
    """Happen."""


class Eventful(FakeLabelStudio):
    """Lets something happen before and after it accepts, and before it deletes.

    Sends the events of Label Studio's webhook to `changes`.
    """

    changes: FakeChanges

    before_accept: Callable[[], object] = staticmethod(nothing)
    after_accept: Callable[[], object] = staticmethod(nothing)
    before_delete: Callable[[], object] = staticmethod(nothing)

    def __init__(self, **fields):
        super().__init__(**fields)
        self.batches: list[list[TaskId]] = []

    def accept(self, project, version, tasks):
        self.batches.append([*tasks])
        self.before_accept()
        made = super().accept(project, version, tasks)
        self.changes.changed(project, len(made))
        self.after_accept()
        return made

    def take_back(self, project, annotations, relabeled=None):
        self.batches.append([*annotations])
        self.before_delete()
        done = super().take_back(project, annotations, relabeled)
        self.changes.changed(project, len(done.deleted))
        return done


def certificate_of(number, tasks):
    """A certificate that covers these tasks, of an audit whose other content does not matter."""
    audit = drawn_audit([0.9], 1, AuditTerms(), number)
    audit = replace(audit, version=VERSION)
    accepted = tuple(FrozenPrediction(task, 0.9, CAT) for task in tasks)
    certificate = AuditCertificate(
        number, AuditTerms(), len(tasks), 0.9, 500, 100, 0, ALLOWED, RISK, "at most 5 % are wrong"
    )
    return CertificateFile(certificate, audit, ALLOWED, (), (), (), accepted)


class Scene:
    """400 unlabeled images with predictions, all of which a test allows to accept."""

    def __init__(self, folder):
        self.label_studio = Eventful(people=dict.fromkeys(TASKS))
        self.label_studio.predictions |= {
            (task, VERSION): Prediction(ImageRef(task, ""), CAT, 0.9, VERSION) for task in TASKS
        }
        self.ledgers = LedgerFiles(folder)
        self.ledgers.save(PROJECT, Ledger())
        self.changes = self.label_studio.changes = FakeChanges(utc_now)
        self.auto_accept = AutoAccept(self.label_studio, self.ledgers, self.changes)

    def accept(self, job=JOB, tasks=TASKS, progress=quiet):
        """Accept these tasks by an audit of their own, whose risk is spent."""
        number = AuditId(1 if job == JOB else 2)
        file = certificate_of(number, tasks)
        self.ledgers.change(
            PROJECT, lambda now: replace(now, risk=risk.spend(now.risk, number, RISK))
        )
        return self.auto_accept.carry_out(PROJECT, job, file, progress)

    def undo(self, job=JOB, progress=quiet):
        return self.auto_accept.undo(PROJECT, job, progress)

    @property
    def ledger(self):
        return self.ledgers.load(PROJECT)

    @property
    def counted(self):
        return self.changes.read(PROJECT).count

    @property
    def unlabeled(self):
        return {task for task, said in self.label_studio.people.items() if said is None}

    @property
    def certified(self):
        return set(self.auto_accept.certified(PROJECT))


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def lost_connection():
    raise LabelStudioUnreachable("Label Studio went away")


def stop_at(step, done):
    """Progress of a job that is asked to stop at `done` of a step."""

    def progress(at, finished, of, detail=""):
        if at is step and finished >= done:
            raise Stopped

    return progress


# --- the annotations of a job that ended well -----------------------------------------------------


def test_undo_gives_the_images_back_to_people_once(scene):
    assert scene.accept() == 400
    assert scene.auto_accept.accepted_by(PROJECT, JOB) == 400
    assert scene.undo() == Undone(400, 0, 0)
    assert scene.auto_accept.accepted_by(PROJECT, JOB) == 0
    assert scene.ledger.accepted == frozenset()
    assert scene.unlabeled == set(TASKS)
    with pytest.raises(NotFound, match="nothing that could be undone"):
        scene.undo()


def test_calls_are_about_neighbors_whichever_predictions_are_surest(scene):
    """Label Studio lists a range of tasks in one request, and single ones 90 at a time."""
    scene.accept(tasks=[*TASKS[::2], *TASKS[1::2]])
    scene.undo()
    accepted = [[*TASKS[:ACCEPTED_AT_ONCE]], [*TASKS[ACCEPTED_AT_ONCE:]]]
    undone = [[*TASKS[start : start + DELETED_AT_ONCE]] for start in (0, 150, 300)]
    assert scene.label_studio.batches == accepted + undone


def test_undo_gives_the_mistakes_back_and_none_of_the_risk(scene):
    scene.accept()
    assert (scene.ledger.risk.allowed, scene.ledger.risk.spent) == (ALLOWED, RISK)
    scene.undo()
    assert (scene.ledger.risk.allowed, scene.ledger.risk.spent) == (0, RISK)


def test_the_undo_of_an_acceptance_that_broke_off_closes_its_audit(scene):
    opened = OpenAudit(AuditId(1), VERSION, frozenset())
    scene.ledgers.change(PROJECT, lambda now: replace(now, open_audit=opened))
    with pytest.raises(Stopped):
        scene.accept(progress=stop_at(Step.ACCEPT, 1))
    assert scene.ledger.open_audit == opened
    scene.undo()
    assert scene.ledger.open_audit is None


def test_a_certificate_is_shown_only_while_all_that_it_is_about_stands(scene):
    with pytest.raises(Stopped):
        scene.accept(progress=stop_at(Step.ACCEPT, 1))
    assert scene.ledger.acceptances[JOB].certificate is not None
    assert scene.certified == set(), "only a part was accepted"
    scene.undo()
    scene.accept(LATER)
    assert scene.certified == {VERSION}
    with pytest.raises(Stopped):
        scene.undo(LATER, stop_at(Step.UNDO, DELETED_AT_ONCE))
    assert scene.certified == set(), "a part was deleted"


def test_a_certificate_about_no_annotation_is_not_shown(scene):
    scene.label_studio.people |= dict.fromkeys(TASKS, DOG)
    assert scene.accept() == 0
    assert scene.certified == set()


# --- jobs that break off ------------------------------------------------------------------------


def test_a_stop_is_heard_between_two_batches_and_what_was_accepted_is_known(scene):
    with pytest.raises(Stopped):
        scene.accept(progress=stop_at(Step.ACCEPT, 1))
    made = {task: number for task, (number, _) in scene.label_studio.machine.items()}
    assert len(made) == ACCEPTED_AT_ONCE
    assert scene.ledger.acceptances[JOB].made == made
    assert scene.ledger.acceptances[JOB].pending == ()
    assert scene.undo() == Undone(ACCEPTED_AT_ONCE, 0, 0)


def test_what_a_job_accepted_before_the_answer_was_lost_is_found_by_the_undo(scene):
    scene.label_studio.after_accept = lost_connection
    with pytest.raises(LabelStudioUnreachable):
        scene.accept()
    made = set(TASKS) - scene.unlabeled
    assert scene.ledger.accepted == made
    assert scene.auto_accept.accepted_by(PROJECT, JOB) == len(made) == ACCEPTED_AT_ONCE
    assert scene.undo() == Undone(ACCEPTED_AT_ONCE, 0, 0)
    assert scene.unlabeled == set(TASKS)


def test_what_a_job_accepted_before_the_answer_was_lost_is_recorded_by_the_next_job(scene):
    scene.label_studio.after_accept = lost_connection
    with pytest.raises(LabelStudioUnreachable):
        scene.accept()
    made = set(scene.label_studio.machine)
    scene.label_studio.after_accept = nothing
    scene.accept(LATER, tasks=())
    assert set(scene.ledger.acceptances[JOB].made) == made


def test_undo_of_a_job_that_accepted_nothing_spares_what_a_later_job_accepted(scene):
    scene.label_studio.before_accept = lost_connection
    with pytest.raises(LabelStudioUnreachable):
        scene.accept()
    scene.label_studio.before_accept = nothing
    assert scene.accept(LATER, TASKS[:50]) == 50
    assert scene.undo() == Undone(0, 0, 0)
    assert len(scene.label_studio.machine) == 50
    assert scene.ledger.accepted == set(TASKS[:50])


def test_annotations_from_another_version_are_not_taken_for_those_of_a_broken_job(scene):
    scene.label_studio.before_accept = lost_connection
    with pytest.raises(LabelStudioUnreachable):
        scene.accept()
    scene.label_studio.people[TASKS[0]] = CAT
    scene.label_studio.machine[TASKS[0]] = 1, OTHER
    assert scene.undo() == Undone(0, 0, 0)
    assert TASKS[0] not in scene.unlabeled


# --- undo at the same time as something else ----------------------------------------------------


@pytest.mark.parametrize("moment", ["before_accept", "after_accept"])
def test_a_job_that_is_undone_while_it_accepts_leaves_nothing_behind(scene, moment):
    setattr(scene.label_studio, moment, scene.undo)
    with pytest.raises(BadInput, match="job-1 was undone while it worked"):
        scene.accept()
    assert scene.unlabeled == set(TASKS)
    assert scene.ledger.acceptances[JOB].undone
    assert (scene.ledger.accepted, scene.ledger.risk.allowed) == (frozenset(), 0)


def test_jobs_that_accept_and_undo_at_the_same_time_are_both_remembered(scene):
    scene.accept()

    def accept_once():
        scene.label_studio.before_delete = nothing
        scene.accept(LATER, tasks=())

    scene.label_studio.before_delete = accept_once
    scene.undo()
    assert scene.ledger.risk.spent == 2 * RISK
    assert scene.ledger.accepted == frozenset()


# --- the next status ------------------------------------------------------------------------------


def test_what_was_accepted_is_read_by_the_job_and_not_by_the_next_status(scene):
    scene.accept()
    assert scene.label_studio.copied == [PROJECT]


def test_an_acceptance_is_complete_whether_or_not_it_can_be_read(scene):
    def unreachable(project):
        raise LabelStudioUnreachable("away")

    scene.label_studio.copy_labels = unreachable
    assert scene.accept() == len(TASKS)
    assert scene.ledger.acceptances[JOB].complete


# --- the counter of what people changed -----------------------------------------------------------


def test_what_a_job_accepts_and_an_undo_deletes_is_no_work_of_people(scene):
    scene.changes.changed(PROJECT, 3)
    scene.accept()
    scene.label_studio.correct(TASKS[0], DOG)
    scene.undo()
    assert scene.counted == 3


def test_neither_is_what_a_job_accepts_or_deletes_before_it_is_stopped(scene):
    scene.changes.changed(PROJECT, 3)
    with pytest.raises(Stopped):
        scene.accept(progress=stop_at(Step.ACCEPT, 1))
    assert scene.counted == 3
    with pytest.raises(Stopped):
        scene.undo(progress=stop_at(Step.UNDO, DELETED_AT_ONCE))
    assert scene.counted == 3


def test_neither_is_what_a_job_accepted_before_the_answer_was_lost(scene):
    scene.label_studio.after_accept = lost_connection
    with pytest.raises(LabelStudioUnreachable):
        scene.accept()
    scene.undo()
    assert scene.counted == 0


# --- undo and people ----------------------------------------------------------------------------


def test_what_people_change_while_an_undo_runs_is_kept(scene):
    scene.accept()

    def correct_once():
        scene.label_studio.before_delete = nothing
        scene.label_studio.correct(TASKS[-1], DOG)

    scene.label_studio.before_delete = correct_once
    assert scene.undo() == Undone(399, 1, 0)
    assert scene.label_studio.people[TASKS[-1]] == DOG
    assert scene.ledger.accepted == frozenset(), "it is a person's label now"


def test_what_people_have_a_draft_of_is_kept_and_stays_a_models_label(scene):
    scene.accept()
    scene.label_studio.drafted = {TASKS[-1]}
    assert scene.undo() == Undone(399, 0, 1)
    assert scene.ledger.accepted == {TASKS[-1]}
    assert scene.certified == set()
    scene.label_studio.drafted = set()
    assert scene.undo() == Undone(1, 0, 0)
    assert scene.ledger.acceptances[JOB].undone


def test_an_undo_that_was_stopped_goes_on_where_it_was(scene):
    scene.accept()
    with pytest.raises(Stopped):
        scene.undo(progress=stop_at(Step.UNDO, 2 * DELETED_AT_ONCE))
    left = set(scene.label_studio.machine)
    assert len(left) == 400 - 2 * DELETED_AT_ONCE
    assert scene.ledger.accepted == left
    assert scene.undo() == Undone(len(left), 0, 0)
    assert scene.ledger.acceptances[JOB].undone


# --- the job of its own ---------------------------------------------------------------------------


def test_the_undo_job_reports_what_it_deleted_and_what_it_kept(scene):
    scene.accept()
    scene.label_studio.correct(TASKS[0], DOG)
    scene.label_studio.drafted = {TASKS[1], TASKS[2]}
    job = Job(LATER, JobRequest(PROJECT, Mode.UNDO, undoes=JOB), JobState.RUNNING)
    heard = []
    steps = FakeSteps(lambda step, done, of, detail="": heard.append((step, done / of)))
    result = Undo(scene.auto_accept)(job, steps)
    assert result.reason == (
        "deleted 397 annotations; kept 1 that people changed; kept 2 that people are changing"
    )
    assert (result.sections["undoes"], result.sections["deleted"]) == (JOB, 397)
    assert {step for step, _ in heard} == {Step.UNDO}
    assert len(heard) > 400 / DELETED_AT_ONCE


@pytest.fixture
def jobs(scene):
    """The queue, after a job that accepted."""
    scene.accept()
    request = JobRequest(PROJECT, accept=True)
    return FakeJobs({JOB: Job(JOB, request, JobState.FINISHED)})


def test_the_undo_of_a_job_is_queued_once(scene, jobs):
    queue = UndoQueue(jobs, scene.auto_accept)
    queued = queue(JOB)
    assert (queued.request.mode, queued.request.undoes) == (Mode.UNDO, JOB)
    assert queue(JOB) == queued
    assert len(jobs.jobs) == 2


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.STOPPING])
def test_a_live_job_is_not_undone(scene, jobs, state):
    jobs.jobs[JOB] = Job(JOB, JobRequest(PROJECT, accept=True), state)
    with pytest.raises(Refused, match=rf"job-1 is {state.value}.*Stop it first"):
        UndoQueue(jobs, scene.auto_accept)(JOB)
    assert len(jobs.jobs) == 1


def test_nothing_is_undone_while_another_job_of_the_project_is_live(scene, jobs):
    other, _ = jobs.submit(JobRequest(PROJECT))
    with pytest.raises(Refused, match=f"{other.id} is queued"):
        UndoQueue(jobs, scene.auto_accept)(JOB)


def test_a_job_that_accepted_nothing_has_no_undo(scene, jobs):
    scene.undo()
    with pytest.raises(NotFound, match="nothing that could be undone"):
        UndoQueue(jobs, scene.auto_accept)(JOB)
    with pytest.raises(NotFound):
        UndoQueue(jobs, scene.auto_accept)(JobId("job-9"))


@pytest.mark.parametrize("wrong", [{"mode": Mode.UNDO}, {"undoes": JOB}])
def test_an_undo_needs_a_job_and_only_an_undo_has_one(wrong):
    with pytest.raises(BadInput, match="autolabel undo JOB"):
        JobRequest(PROJECT, **wrong)
