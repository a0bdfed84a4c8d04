"""The application when a project number means another project than before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.errors import BadInput
from backend.domain.ids import UNTRAINED, JobId
from backend.domain.jobs import Job, JobRequest, JobState
from backend.services.application import Application
from backend.wiring import application
from tests.fakes.world import PROJECT, World, parts_in

THEN = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


class Reset:
    """A project with a version, in a Label Studio that may be reset."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.version = self.world.run()["version"]
        parts = parts_in(folder, self.world.label_studio, versions=self.world.versions)
        self.jobs = parts.jobs
        self.application: Application = application(parts)
        self.is_created_at(THEN)
        self.application.status(PROJECT)

    def is_created_at(self, moment: datetime) -> None:
        known = self.world.label_studio.known
        known[PROJECT] = replace(known[PROJECT], created_at=moment)


@pytest.fixture
def reset(tmp_path: Path) -> Reset:
    return Reset(tmp_path)


def test_a_start_after_a_reset_begins_anew(reset: Reset) -> None:
    assert reset.application.version(PROJECT) == reset.version
    reset.is_created_at(THEN + timedelta(days=1))
    reset.application.start(JobRequest(PROJECT))
    assert reset.application.version(PROJECT) == UNTRAINED


def test_a_look_at_the_status_brings_the_data_of_the_former_project_back(reset: Reset) -> None:
    reset.is_created_at(THEN + timedelta(days=1))
    assert reset.application.status(PROJECT).version is None
    reset.is_created_at(THEN)
    found = reset.application.status(PROJECT).version
    assert found
    assert found.name == reset.version


def test_nothing_is_moved_under_a_running_job(reset: Reset) -> None:
    job = Job(JobId("job-1"), JobRequest(PROJECT), JobState.RUNNING)
    reset.jobs.jobs[job.id] = job
    reset.is_created_at(THEN + timedelta(days=1))
    assert reset.application.start(JobRequest(PROJECT)) == (job, False)
    reset.application.status(PROJECT)
    assert reset.application.version(PROJECT) == reset.version
    with pytest.raises(BadInput, match="another project of this number"):
        reset.application.undo(job.id)
