"""Which version of a round is used, what it knows, and which labels look wrong to it."""

import pytest

from backend.domain.answers import Choices
from backend.domain.ids import ProjectId, TaskId
from backend.domain.tab_titles import TabTitle
from backend.services.training import seen_tasks
from tests.fakes.models import ParityFamily, ParityModel
from tests.fakes.steps import quiet
from tests.fakes.world import World

PROJECT = ProjectId(1)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, images=600)


class Wrong(ParityFamily):
    """Learns to say the first label of everything."""

    def fit(self, training_set):
        self.training_sets.append(training_set)
        return AlwaysFirst(training_set.control.labels)


class AlwaysFirst(ParityModel):
    def predict(self, images, fetch, progress):
        predictions = super().predict(images, fetch, progress)
        answers = tuple(Choices((self.labels[0],)) for _ in predictions.answers)
        return type(predictions)(answers, predictions.confidence, predictions.probabilities)


def test_a_version_records_the_training_images_of_the_one_it_continues_from(world):
    world.label(range(13, 113))
    world.run()
    world.label_studio.people[TaskId(20)] = None
    world.run()
    current = world.versions.current(PROJECT)
    assert 20 in seen_tasks.of_version(world.versions, current)
    assert 20 not in world.family.training_sets[-1].train.tasks


def test_a_worse_version_is_kept_aside_and_says_why(world):
    world.label(range(13, 150))
    good = world.run()["version"]
    world.families.update(dict.fromkeys(world.family.kinds, Wrong()))
    report = world.run()
    aside = world.versions.get(PROJECT, report["version"])
    assert not aside.promoted
    assert "worse, kept aside" in aside.reason
    assert report["reason"] == aside.reason
    assert (report["version"], report["shown"]) == (aside.name, good)
    assert world.versions.current(PROJECT).name == good
    assert world.label_studio.model_version == good


def test_label_issues_are_listed_for_a_second_look(world):
    world.label(range(13, 150))
    world.label_studio.people[20] = {"c": Choices(("dog",))}

    class Uncertain(ParityFamily):
        def fit(self, training_set):
            model = ParityModel(training_set.control.labels)
            model.out_of_fold = model.predict(training_set.train, training_set.fetch, quiet)
            return model

    world.families.update(dict.fromkeys(world.family.kinds, Uncertain()))
    report = world.run()
    assert world.label_studio.lists[TabTitle.LABEL_ISSUES] == (20,)
    assert [entry["task"] for entry in report["label_issues"]] == [20]


def test_label_issues_in_new_labels_are_found_by_the_current_version(
    world,
):
    # given a family without out-of-fold answers, as detectors are
    world.label(range(13, 150))
    world.run()
    world.label(range(150, 200))
    mistaken = {TaskId(task): {"c": Choices((world.truth(task + 1),))} for task in range(150, 160)}
    world.label_studio.people |= mistaken
    world.run()
    assert set(world.family.training_sets[-1].train.tasks) & set(mistaken)
    assert set(world.label_studio.lists[TabTitle.LABEL_ISSUES]) == set(mistaken)
