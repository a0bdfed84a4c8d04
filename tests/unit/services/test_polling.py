"""Looking for changes where Label Studio cannot call, with Label Studio and the queue faked."""

from pathlib import Path

import pytest

from backend.domain.answers import Choices
from backend.domain.errors import LabelStudioUnreachable, NotFound
from backend.domain.ids import ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import JobRequest, Mode
from backend.domain.projects import ProjectActivity
from backend.processes.polling_loop import PollingLoop
from backend.services.polling import Polling
from backend.services.webhook_log import WebhookLog
from backend.stores.polled_projects import PolledProjectFiles
from tests.fakes.changes import FakeChanges
from tests.fakes.domain import NOW, a_version
from tests.fakes.jobs import FakeJobs
from tests.fakes.label_studio import FIRST, FakeLabelStudio
from tests.fakes.versions import FakeVersions

CAT, DOG = Choices((Label("cat"),)), Choices((Label("dog"),))


class Blocked:
    """A connected project in a Label Studio that never calls, looked at when told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label_studio = FakeLabelStudio(people=dict.fromkeys(map(TaskId, range(1, 11))))
        self.changes = FakeChanges(lambda: NOW)
        self.versions, self.jobs, self.webhooks = FakeVersions(), FakeJobs(), WebhookLog()
        self.polled = PolledProjectFiles(folder)
        self.polled.connect(FIRST)
        self.restart()

    def restart(self) -> None:
        polling = Polling(
            self.label_studio,
            self.polled,
            self.changes,
            self.versions,
            self.jobs,
            self.webhooks,
            self.jobs.submit,
        )
        self.loop = PollingLoop(polling, self.polled, 5)

    def label(self, *tasks: int, answer: Choices = CAT) -> None:
        self.label_studio.people |= {TaskId(task): {ControlName("c"): answer} for task in tasks}

    def counted(self) -> int:
        """Look, and return the number of changes counted so far."""
        self.loop.look_safely()
        return self.changes.read(FIRST).count

    def is_trained(self) -> None:
        card = a_version(project=FIRST)
        self.versions.cards.append(card)
        self.versions.activate(FIRST, card.name)


@pytest.fixture
def blocked(tmp_path: Path) -> Blocked:
    return Blocked(tmp_path)


def test_annotations_are_counted_once_although_nobody_calls(blocked: Blocked) -> None:
    assert blocked.counted() == 0
    blocked.label(1, 2, 3)
    assert blocked.counted() == 3
    assert blocked.counted() == 3


def test_labels_from_before_the_first_look_count(blocked: Blocked) -> None:
    blocked.label(1, 2, 3, 4)
    assert blocked.counted() == 4


def test_labels_that_a_model_was_trained_on_do_not_count_again(blocked: Blocked) -> None:
    blocked.label(1, 2, 3, 4)
    blocked.is_trained()
    assert blocked.counted() == 0
    blocked.label(5)
    assert blocked.counted() == 1


def test_an_edited_annotation_counts(blocked: Blocked) -> None:
    blocked.label(1, 2)
    before = blocked.counted()
    blocked.label(2, answer=DOG)
    assert blocked.counted() == before + 1


def test_a_restart_forgets_nothing(blocked: Blocked) -> None:
    blocked.label(1)
    assert blocked.counted() == 1
    blocked.label(2, 3)
    blocked.restart()
    assert blocked.counted() == 3


def test_what_webhooks_told_is_not_counted_twice(blocked: Blocked) -> None:
    blocked.counted()
    blocked.label(1, 2)
    blocked.webhooks.hear(FIRST)
    assert blocked.counted() == 0
    blocked.label(3)
    assert blocked.counted() == 1


def test_our_own_acceptances_do_not_count(blocked: Blocked) -> None:
    blocked.counted()
    blocked.changes.discount(FIRST, 2)
    blocked.label(1, 2)
    assert blocked.counted() == 0


def test_tasks_that_are_imported_later_are_predicted_by_a_job(blocked: Blocked) -> None:
    blocked.is_trained()
    blocked.counted()
    blocked.label_studio.people |= dict.fromkeys(map(TaskId, range(11, 21)))
    blocked.counted()
    assert not blocked.jobs.jobs, "the import may still be running"
    blocked.counted()
    version = VersionName("al-0001-3f9c")
    (job,) = blocked.jobs.jobs.values()
    assert job.request == JobRequest(FIRST, Mode.PRE_LABELING, model_version=version)
    blocked.jobs.jobs.clear()
    blocked.counted()
    assert not blocked.jobs.jobs, "predicted once"


def test_tasks_that_are_imported_during_a_training_are_predicted_by_a_job(
    blocked: Blocked,
) -> None:
    blocked.counted()
    blocked.jobs.submit(JobRequest(FIRST))
    blocked.label_studio.people |= dict.fromkeys(map(TaskId, range(11, 14)))
    blocked.counted()
    blocked.is_trained()
    blocked.counted()
    blocked.jobs.jobs.clear()
    blocked.counted()
    (job,) = blocked.jobs.jobs.values()
    assert job.request.mode is Mode.PRE_LABELING


@pytest.mark.parametrize("begins", [True, False])
def test_tasks_that_are_counted_just_when_a_training_begins_or_ends_are_predicted(
    blocked: Blocked, begins: bool
) -> None:
    blocked.counted()
    if not begins:
        blocked.jobs.submit(JobRequest(FIRST))
    count = blocked.label_studio.activity

    def imported_meanwhile(project: ProjectId) -> ProjectActivity:
        if begins:
            blocked.jobs.submit(JobRequest(FIRST))
        else:
            blocked.jobs.jobs.clear()
        blocked.label_studio.people |= dict.fromkeys(map(TaskId, range(11, 14)))
        return count(project)

    blocked.label_studio.activity = imported_meanwhile
    blocked.counted()
    blocked.jobs.jobs.clear()
    blocked.label_studio.activity = count
    blocked.is_trained()
    blocked.counted()
    blocked.counted()
    assert blocked.jobs.jobs, "they are new"


def test_a_disconnected_project_is_left_alone(blocked: Blocked) -> None:
    blocked.polled.disconnect(FIRST)
    blocked.label(1)
    assert blocked.counted() == 0


def test_a_trained_project_is_looked_at_until_somebody_disconnects_it(blocked: Blocked) -> None:
    folder = blocked.folder / "projects" / "7"
    folder.mkdir(parents=True)
    (folder / "current").write_text("al-0001-3f9c")
    assert blocked.polled.all() == [FIRST, ProjectId(7)]
    blocked.polled.disconnect(ProjectId(7))
    assert blocked.polled.all() == [FIRST]


@pytest.mark.parametrize("failure", [LabelStudioUnreachable("away"), RuntimeError("a bug")])
def test_what_fails_once_is_looked_at_again(blocked: Blocked, failure: Exception) -> None:
    working = blocked.label_studio
    blocked.label_studio = Failing(failure)
    blocked.restart()
    assert blocked.counted() == 0
    blocked.label_studio = working
    blocked.restart()
    blocked.label(1)
    assert blocked.counted() == 1


def test_a_project_that_is_gone_is_looked_at_no_more(blocked: Blocked) -> None:
    blocked.label_studio = Failing(NotFound("Label Studio has no project 1"))
    blocked.restart()
    blocked.counted()
    assert blocked.polled.all() == []


def test_a_damaged_memory_is_begun_anew(blocked: Blocked) -> None:
    blocked.label(1)
    assert blocked.counted() == 1
    (blocked.folder / "projects" / "1" / "polling.json").write_text("{")
    assert blocked.polled.last_look(FIRST) is None


class Failing(FakeLabelStudio):
    """A Label Studio that answers every look with a failure."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    def activity(self, project: ProjectId):
        raise self.failure


@pytest.mark.parametrize("disconnects", [True, False])
def test_a_project_that_is_missing_is_disconnected_only_where_that_is_meant(
    blocked: Blocked, caplog: pytest.LogCaptureFixture, *, disconnects: bool
) -> None:
    class Missing:
        def look(self, project: ProjectId) -> None:
            raise NotFound(f"no project {project}")

    loop = PollingLoop(Missing(), blocked.polled, 5, "new images", disconnects=disconnects)
    loop.look_safely()
    loop.look_safely()
    assert blocked.polled.all() == ([] if disconnects else [FIRST])
    assert len(caplog.messages) == 1
