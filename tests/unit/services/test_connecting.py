from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.errors import BadInput, LabelStudioUnreachable
from backend.domain.ids import ProjectId
from backend.domain.projects import BackendLink
from backend.services.connecting import Connecting
from backend.stores.first_walls import FirstWallFiles
from backend.stores.polled_projects import PolledProjectFiles
from backend.stores.project_folders import ProjectFolders
from tests.fakes.jobs import FakeIdleWork, FakeJobs
from tests.fakes.label_studio import FIRST, FakeLabelStudio

URL = "http://127.0.0.1:9090"


class Protected(FakeLabelStudio):
    """A Label Studio that may not call local addresses."""

    def connect(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        raise BadInput(f"Label Studio may not call {backend_url}", "Start it otherwise")


def connecting(label_studio: FakeLabelStudio, folder: Path, poll_seconds: float) -> Connecting:
    return Connecting(
        label_studio,
        ProjectFolders(folder),
        FakeJobs(),
        PolledProjectFiles(folder),
        FirstWallFiles(folder),
        FakeIdleWork(),
        poll_seconds,
        URL,
    )


def test_a_backend_that_may_not_be_called_looks_itself_and_has_its_tabs(tmp_path: Path) -> None:
    label_studio = Protected()
    projects = connecting(label_studio, tmp_path, 30)
    done = projects.connect(FIRST, URL, "", "")
    assert "looks for new annotations itself every 30 s" in done
    assert label_studio.has_tabs
    assert projects.polled.all() == [FIRST]


def test_a_worker_then_shows_what_to_label_first(tmp_path: Path) -> None:
    projects = connecting(FakeLabelStudio(), tmp_path, 0)
    projects.connect(FIRST, URL, "", "")
    assert isinstance(projects.idle_work, FakeIdleWork)
    assert projects.idle_work.requested == [FIRST]
    assert projects.walls.is_wanted(FIRST)
    projects.walls.remember(FIRST)
    projects.connect(FIRST, URL, "", "")
    assert not projects.walls.is_wanted(FIRST), "it is shown once"


def test_without_polling_the_refusal_proposes_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        connecting(Protected(), tmp_path, 0).connect(FIRST, URL, "", "")
    assert "AUTOLABEL_POLL_SECONDS" in refused.value.hint


def test_a_disconnected_project_is_not_looked_at(tmp_path: Path) -> None:
    projects = connecting(FakeLabelStudio(), tmp_path, 30)
    projects.connect(FIRST, URL, "", "")
    projects.disconnect(FIRST, URL)
    assert projects.polled.all() == []


def test_what_people_switched_off_is_part_of_the_warnings(tmp_path: Path) -> None:
    label_studio = FakeLabelStudio()
    label_studio.links[FIRST] = BackendLink(webhook=False, payload=False, interactive=True)
    project = replace(label_studio.project(FIRST), shows_predictions=False)
    calls = connecting(label_studio, tmp_path, 0).warnings(project, None)
    assert len(calls) == 3
    polls = connecting(label_studio, tmp_path, 30).warnings(project, None)
    assert not any("webhook" in one for one in polls), "none is needed"


def test_a_connection_that_cannot_be_checked_costs_its_own_warnings_only(tmp_path: Path) -> None:
    class Away(FakeLabelStudio):
        def link(self, project: ProjectId, backend_url: str) -> BackendLink:
            raise LabelStudioUnreachable("away")

    project = replace(Away().project(FIRST), shows_predictions=False)
    (hidden,) = connecting(Away(), tmp_path, 0).warnings(project, None)
    assert "hidden" in hidden
