"""Listing a project: where it is said how far it is, and where it can be stopped."""

from dataclasses import replace

import pytest

from backend.domain.answers import Choices, ImageRef, LabeledImage
from backend.domain.errors import Stopped
from backend.domain.ids import ControlName, JobId, ProjectId, TaskId, VersionName
from backend.domain.versions import Acceptance, Ledger
from backend.label_studio import labeling_config
from backend.services import project_tasks
from backend.services.project_tasks import REPORT_EVERY
from tests.fakes.domain import CHOICES
from tests.fakes.label_studio import FakeLabelStudio

PROJECT = ProjectId(1)
SCHEMA = labeling_config.parse(CHOICES)


def label_studio(labeled, unlabeled):
    people = {TaskId(task): {"c": Choices(("cat",))} for task in range(labeled)}
    return FakeLabelStudio(people=people | {TaskId(-task - 1): None for task in range(unlabeled)})


def test_progress_grows_over_labeled_and_unlabeled_tasks():
    heard = []
    taken = project_tasks.take(
        label_studio(3 * REPORT_EVERY, 2 * REPORT_EVERY),
        PROJECT,
        SCHEMA,
        lambda step, done, of: heard.append(done / of),
    )
    assert (len(taken.labeled), len(taken.unlabeled)) == (3 * REPORT_EVERY, 2 * REPORT_EVERY)
    assert len(heard) == 6
    assert heard == sorted(heard)
    assert (heard[0], heard[-1]) == (0, 1)


def test_a_job_can_be_stopped_between_two_labeled_tasks():
    class Listed(FakeLabelStudio):
        reached = 0

        def labeled(self, project, schema):
            for self.reached, image in enumerate(super().labeled(project, schema)):
                yield image

    def stop(_step, done, _of):
        if done:
            raise Stopped

    large = Listed(people=label_studio(10 * REPORT_EVERY, 1).people)
    with pytest.raises(Stopped):
        project_tasks.take(large, PROJECT, SCHEMA, stop)
    assert large.reached == REPORT_EVERY


def test_unlabeled_tasks_are_shown_while_the_list_goes_on():
    shown = []
    taken = project_tasks.take(
        label_studio(3, 2 * REPORT_EVERY + 1),
        PROJECT,
        SCHEMA,
        lambda step, done, of: None,
        look=shown.append,
    )
    assert [len(refs) for refs in shown] == [0, REPORT_EVERY, REPORT_EVERY]
    assert tuple(ref for refs in shown for ref in refs) == taken.unlabeled[:-1]


def test_labels_by_a_model_are_counted_and_not_kept():
    ledger = Ledger(acceptances={JobId("job-1"): Acceptance(VersionName("v"), (1, 2, 3), ())})
    ref, dog = ImageRef(TaskId(1), "a.jpg"), {ControlName("c"): Choices(("dog",))}
    by_model = LabeledImage(ref, dog, by_person=False)
    images = [
        by_model,
        replace(by_model, image=replace(ref, task=TaskId(2)), answers={}),
        replace(by_model, image=replace(ref, task=TaskId(3)), by_person=True),
        replace(by_model, image=replace(ref, task=TaskId(4))),
        replace(by_model, image=replace(ref, task=TaskId(5)), answers={}),
    ]
    tasks, of_model = project_tasks.by_people(iter(images), ledger)
    assert [image.image.task for image in tasks.labeled] == [3, 4]
    assert [image.image.task for image in tasks.unplaced] == [5]
    assert of_model == 1, "the other one of the model's answers nothing"
