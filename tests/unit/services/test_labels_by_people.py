"""Whose labels teach: a person's always, whatever the ledger says; a model's never."""

import pytest

from backend.domain.answers import Choices
from backend.domain.errors import LabelStudioUnreachable
from backend.domain.ids import JobId, ProjectId, TaskId
from backend.domain.tab_titles import TabTitle
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.world import CHOICE, World

PROJECT = ProjectId(1)


class Busy(FakeLabelStudio):
    """Calls `meanwhile` before it accepts."""

    meanwhile = staticmethod(lambda: None)

    def accept(self, project, version, tasks):
        self.meanwhile()
        return super().accept(project, version, tasks)


@pytest.fixture
def world(tmp_path):
    """A project whose audit sample is labeled, so that the next job may accept."""
    world = World(tmp_path, images=600, label_studio=Busy)
    world.run(accept=True)
    world.label(world.label_studio.lists[TabTitle.AUDIT])
    return world


def unlabeled(world):
    return {task for task, said in world.label_studio.people.items() if said is None}


def taught(world):
    """Train once more, with one more image; return the tasks that it learned from."""
    world.label_studio.people[TaskId(601)] = None
    world.run()
    training_set = world.family.training_sets[-1]
    return set(training_set.train.tasks) | set(training_set.held_out.tasks)


def test_labels_that_people_gave_while_a_job_accepted_teach(world):
    given = set(sorted(unlabeled(world))[:20])
    world.label_studio.meanwhile = lambda: world.label(given & unlabeled(world))
    world.run(accept=True)
    learned_from = taught(world)
    assert given <= learned_from
    assert learned_from.isdisjoint(world.label_studio.machine)


def test_labels_that_people_gave_after_a_job_broke_off_teach(world):
    def lost_connection():
        raise LabelStudioUnreachable("Label Studio went away")

    world.label_studio.meanwhile = lost_connection
    with pytest.raises(LabelStudioUnreachable):
        world.run(accept=True)
    given = world.ledgers.load(PROJECT).acceptances[JobId("job-1")].pending[:30]
    world.label(given)
    assert given
    assert set(given) <= taught(world)


def test_an_accepted_label_teaches_once_a_person_corrected_it(world):
    world.run(accept=True)
    corrected, *others = world.label_studio.machine
    world.label_studio.correct(corrected, {CHOICE: Choices((world.truth(corrected + 1),))})
    learned_from = taught(world)
    assert corrected in learned_from
    assert learned_from.isdisjoint(others)
    assert world.run()["totals"]["certified"] == len(others)
