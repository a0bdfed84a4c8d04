from datetime import UTC, datetime, timedelta

import pytest

from backend.domain.ids import VersionName
from backend.domain.projects import LastLook, ProjectActivity
from backend.policies.polling import changed_annotations, has_new_tasks, looked

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
MODEL = VersionName("al-0001-3f9c")


def test_created_and_deleted_annotations_are_counted():
    last = LastLook(annotations=10, tasks=20, newest=NOON)
    assert changed_annotations(last, ProjectActivity(13, 20, (NOON,))) == 3
    assert changed_annotations(last, ProjectActivity(8, 20, (NOON,))) == 2
    assert changed_annotations(last, ProjectActivity(10, 20, (NOON,))) == 0


def test_an_edit_changes_no_count_and_is_seen_by_its_time():
    last = LastLook(annotations=10, tasks=20, newest=NOON)
    assert changed_annotations(last, ProjectActivity(10, 20, (LATER, LATER, NOON))) == 2


def test_all_labels_of_a_project_without_a_model_are_new_at_the_first_look():
    assert changed_annotations(LastLook(), ProjectActivity(24, 40, (LATER, NOON))) == 24


def test_new_tasks_are_predicted_once_their_import_is_over():
    known = LastLook(tasks=40, version=MODEL, served=40)
    growing = ProjectActivity(0, 70)
    assert not has_new_tasks(known, growing, MODEL)
    known = looked(known, growing, MODEL, is_busy=False)
    assert has_new_tasks(known, growing, MODEL)
    assert not has_new_tasks(known, growing, None)


def test_a_new_model_version_has_predicted_the_tasks_from_before_its_job():
    waiting = looked(LastLook(tasks=10), ProjectActivity(0, 40), None, is_busy=False)
    training = looked(waiting, ProjectActivity(0, 40), None, is_busy=True)
    known = looked(training, ProjectActivity(0, 40), MODEL, is_busy=False)
    assert (known.version, known.served) == (MODEL, 40)
    assert not has_new_tasks(known, ProjectActivity(0, 40), MODEL)


@pytest.mark.parametrize("seen_while_training", [True, False])
def test_tasks_that_are_imported_while_a_model_is_trained_are_new(seen_while_training: bool):
    known = looked(LastLook(tasks=10), ProjectActivity(0, 40), None, is_busy=False)
    if seen_while_training:
        known = looked(known, ProjectActivity(0, 43), None, is_busy=True)
    known = looked(known, ProjectActivity(0, 43), MODEL, is_busy=False)
    assert has_new_tasks(known, ProjectActivity(0, 43), MODEL)


def test_tasks_that_were_deleted_and_imported_again_are_new():
    known = LastLook(tasks=40, version=MODEL, served=40)
    for tasks in (10, 40):
        known = looked(known, ProjectActivity(0, tasks), MODEL, is_busy=False)
    assert has_new_tasks(known, ProjectActivity(0, 40), MODEL)


def test_the_newest_change_is_remembered():
    known = looked(LastLook(newest=NOON), ProjectActivity(1, 1, (LATER,)), None, is_busy=False)
    assert known.newest == LATER
    assert looked(known, ProjectActivity(0, 1), None, is_busy=False).newest == LATER
