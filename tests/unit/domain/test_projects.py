from datetime import UTC, datetime

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import ProjectId
from backend.domain.projects import Project, ProjectStatus


def status(*reasons):
    project = Project(ProjectId(1), "Pets", "<View/>", "")
    return ProjectStatus(project, reasons, (), (), 0, 0, None, None)


def test_a_project_is_ready_if_there_is_no_reason_against_it():
    assert status().ready
    assert not status(Reason(ReasonCode.TOO_FEW_LABELS, "1 of 2 labels used")).ready


def test_the_seconds_of_the_creation_are_whole_as_label_studio_sends_them():
    created = datetime(2026, 11, 20, 23, 24, 21, 83757, UTC)
    assert Project(ProjectId(1), "Pets", "<View/>", "", created).created_seconds == 1795217061
    assert Project(ProjectId(1), "Pets", "<View/>", "").created_seconds is None
