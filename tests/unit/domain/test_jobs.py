import pytest

from backend.domain.errors import BadInput
from backend.domain.ids import JobId, ProjectId, TaskId, VersionName
from backend.domain.jobs import JobRequest, JobState, Mode

VERSION = VersionName("al-0001-abcd")


def test_a_job_is_live_until_it_has_ended():
    live = [state for state in JobState if state.is_live]
    assert live == [JobState.QUEUED, JobState.RUNNING, JobState.STOPPING]


def test_pre_labeling_needs_a_version():
    with pytest.raises(BadInput, match="needs a model_version"):
        JobRequest(ProjectId(1), Mode.PRE_LABELING)
    assert JobRequest(ProjectId(1), Mode.PRE_LABELING, model_version=VERSION)


def test_pre_labeling_accepts_nothing_by_labels_that_the_version_may_have_learned():
    with pytest.raises(BadInput, match="declared to be random"):
        JobRequest(
            ProjectId(1),
            Mode.PRE_LABELING,
            model_version=VERSION,
            accept=True,
            labels_are_random=True,
        )
    assert JobRequest(ProjectId(1), accept=True, labels_are_random=True)


def test_chosen_tasks_are_no_random_sample_of_the_project():
    with pytest.raises(BadInput, match="none of the chosen tasks"):
        JobRequest(ProjectId(1), accept=True, labels_are_random=True, task_ids=(TaskId(7),))


def test_an_undo_and_nothing_else_names_the_job_that_it_undoes():
    with pytest.raises(BadInput, match="an undo needs a job"):
        JobRequest(ProjectId(1), Mode.UNDO)
    with pytest.raises(BadInput, match="only an undo has one"):
        JobRequest(ProjectId(1), undoes=JobId("a"))
    assert JobRequest(ProjectId(1), Mode.UNDO, undoes=JobId("a"))
