"""Both kinds of job, with everything outside faked but the version store."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain.answers import Choices
from backend.domain.errors import (
    BadInput,
    ImagesUnreachable,
    LabelStudioUnreachable,
    NoWeights,
    OutOfSpace,
    QueueUnreachable,
    Refused,
    Stopped,
)
from backend.domain.ids import TaskId
from backend.domain.jobs import Algorithm, Mode
from backend.domain.schema import TaskKind
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.settings import Settings
from tests.fakes.domain import CHOICES
from tests.fakes.label_studio import FIRST
from tests.fakes.models import FakeFeatureExtractor, ParityFamily, ParityModel
from tests.fakes.world import CHOICE, PROJECT, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_round_labels_every_unlabeled_image_and_shows_the_new_version(world):
    report = world.run()
    version = world.versions.current(PROJECT)
    assert version is not None
    assert report["version"] == version.name == world.label_studio.model_version
    assert report["labeled"] == 12
    assert report["predicted"] == report["unlabeled"] == 28
    predictions = world.label_studio.predictions
    assert {task for task, _ in predictions} == set(range(13, 41))
    assert all(
        prediction.answers["c"] == Choices((world.truth(task),))
        for (task, _), prediction in predictions.items()
    )
    assert world.label_studio.has_tabs


def test_the_predicted_labels_get_a_wall_each(world):
    version = world.run()["version"]
    dogs, cats = ({CHOICE: Choices((label,))} for label in ("dog", "cat"))
    assert world.label_studio.walls == {
        "Confirm: dog": (version, dogs),
        "Confirm: cat": (version, cats),
    }


def test_pre_labeling_chosen_tasks_keeps_the_walls_of_the_others(world):
    version = world.run()["version"]
    world.label_studio.walls.clear()
    world.pre_label(version, task_ids=(TaskId(13),))
    assert set(world.label_studio.walls) == {"Confirm: dog", "Confirm: cat"}


def test_a_second_round_replaces_the_predictions_of_the_first(world):
    first = world.run()["version"]
    second = world.run()["version"]
    assert first != second
    assert {version for _, version in world.label_studio.predictions} == {second}
    assert world.versions.get(PROJECT, second).parent == first


def test_an_outage_of_the_image_server_costs_neither_the_version_nor_its_predictions(world):
    first = world.run()["version"]
    before = dict(world.label_studio.predictions)
    world.extractor.server_down = True
    world.extractor.bad = {TaskId(task): "503" for task in range(2, 41)}

    with pytest.raises(ImagesUnreachable, match="39 of 40 images cannot be fetched at the moment"):
        world.run()

    assert world.versions.current(PROJECT).name == first
    assert world.label_studio.predictions == before


def test_an_image_that_is_missing_for_now_is_done_without(world):
    for task in range(41, 101):
        world.label_studio.people[task] = None
    world.extractor.server_down = True
    world.extractor.bad = {TaskId(40): "503", TaskId(41): "503"}

    report = world.run()

    assert report["predicted"] == 86
    assert [one["task"] for one in report["unreadable"]] == [40, 41]


def test_images_that_could_be_read_before_and_are_gone_keep_the_version_and_its_predictions(world):
    first = world.run()["version"]
    before = dict(world.label_studio.predictions)
    world.extractor.bad = {TaskId(task): "403" for task in range(38, 41)}

    with pytest.raises(ImagesUnreachable, match="3 of 40 images that could be read before"):
        world.run()

    assert world.versions.current(PROJECT).name == first
    assert world.label_studio.predictions == before


def test_images_that_could_never_be_read_are_done_without(world):
    world.extractor.bad = {TaskId(task): "404" for task in range(38, 41)}
    world.run()
    assert world.run()["predicted"] == 25


def test_a_task_without_a_new_prediction_keeps_its_old_one(world):
    for task in range(41, 101):
        world.label_studio.people[task] = None
    first = world.run()["version"]
    world.extractor.bad = {TaskId(40): "404"}
    second = world.run()["version"]
    third = world.run()["version"]
    assert len({first, second, third}) == 3
    assert {name for task, name in world.label_studio.predictions if task == 40} == {first}
    world.extractor.bad = {}
    last = world.run()["version"]
    assert {name for _, name in world.label_studio.predictions} == {last}


def test_tasks_that_were_not_chosen_keep_their_predictions(world):
    first = world.run()["version"]
    second = world.run(task_ids=(TaskId(30), TaskId(31)))["version"]
    of = {
        name: {task for task, n in world.label_studio.predictions if n == name}
        for name in (first, second)
    }
    assert of[second] == {30, 31}
    assert of[first] >= set(range(13, 41)) - {30, 31}


def test_the_minimum_holds_on_the_images_that_were_really_read(world):
    world.extractor.bad = {TaskId(task): "404" for task in (1, 3)}

    with pytest.raises(Refused, match="class 'dog' has 4 of 5 images"):
        world.run()


def test_predictions_of_a_version_that_was_just_published_are_not_searched(world):
    world.run()
    first = world.label_studio.model_version
    world.run()
    assert world.label_studio.model_version != first
    assert world.label_studio.looked_through == []


@pytest.mark.parametrize("problem", [BadInput, NoWeights])
def test_a_version_that_this_machine_cannot_load_any_more_is_replaced(world, problem):
    world.run()

    def load(folder, control):
        raise problem("the weights of another backbone are not here")

    world.family.load = load
    report = world.run()
    assert report["version"] == world.versions.current(PROJECT).name
    assert "another backbone" in report["reason"]


def test_training_and_held_out_images_never_mix_from_round_to_round(world):
    world.run()
    world.label_studio.people |= {
        TaskId(task): {"c": Choices((world.truth(task),))} for task in range(13, 30)
    }
    world.run()
    first, second = world.family.training_sets
    assert set(first.train.tasks).isdisjoint(first.held_out.tasks)
    assert set(second.train.tasks).isdisjoint(first.held_out.tasks)
    assert set(second.held_out.tasks).isdisjoint(first.train.tasks)
    assert len(second.held_out) > len(first.held_out)


def test_an_unreadable_image_costs_itself_only_and_is_reported(world):
    world.extractor.bad = {TaskId(20): "the file is empty", TaskId(3): "not an image"}
    report = world.run()
    assert report["unreadable"] == [
        {"task": 3, "reason": "not an image"},
        {"task": 20, "reason": "the file is empty"},
    ]
    assert (report["predicted"], report["unlabeled"]) == (27, 28)
    assert TaskId(20) not in {task for task, _ in world.label_studio.predictions}
    assert 3 not in world.family.training_sets[0].train.tasks


def test_a_task_deleted_during_the_job_is_reported_as_dropped(world):
    class Deleting(ParityFamily):
        def fit(self, training_set):
            del world.label_studio.people[TaskId(40)]
            return super().fit(training_set)

    world.families[TaskKind.SINGLE] = Deleting()
    report = world.run()
    assert report["dropped"] == [{"task": 40, "reason": "the task was deleted"}]
    assert report["predicted"] == 27


def test_a_config_changed_during_the_job_publishes_nothing_to_label_studio(world):
    class Changing(ParityFamily):
        def fit(self, training_set):
            world.label_studio.label_config = CHOICES.replace('"dog"', '"wolf"')
            return super().fit(training_set)

    world.families[TaskKind.SINGLE] = Changing()
    with pytest.raises(BadInput, match="changed while the job ran"):
        world.run()
    assert world.label_studio.predictions == {}
    assert world.versions.current(PROJECT) is None


def test_a_job_whose_preconditions_broke_since_it_was_queued_is_refused(world):
    world.label_studio.people = {
        task: answers for task, answers in world.label_studio.people.items() if task not in {2, 4}
    }
    with pytest.raises(Refused, match="class 'cat' has 4 of 5 images"):
        world.run()


def test_a_stop_during_the_push_leaves_what_people_see_as_it_was(world):
    before = world.run()["version"]

    def stop_at_push(step, _done, _of, _detail=""):
        if step == "push":
            raise Stopped

    with pytest.raises(Stopped):
        world.report(world.active_learning, world.job(), stop_at_push)
    assert world.label_studio.model_version == before
    assert world.versions.current(PROJECT).name == before


def test_what_cannot_be_put_in_order_after_the_switch_is_left_to_the_next_job(world):
    # given a Label Studio that goes away once the second version is shown
    world.run()

    def away(*_):
        raise LabelStudioUnreachable("Label Studio does not answer", "Start it")

    forget, world.label_studio.forget_versions = world.label_studio.forget_versions, away
    # then the round counts, and its report says what is left
    report = world.run()
    assert world.label_studio.model_version == report["version"]
    assert report["skipped_cleanup"] == [
        {
            "what": "removing the predictions of other versions",
            "reason": "Label Studio does not answer. Start it",
        }
    ]
    # and the next job does it
    world.label_studio.forget_versions = forget
    report = world.run()
    assert report["skipped_cleanup"] == []
    assert {version for _, version in world.label_studio.predictions} == {report["version"]}


def test_a_stop_after_the_switch_ends_the_cleanup_and_keeps_the_round(world):
    def stop(_):
        raise Stopped

    world.label_studio.refresh_tabs = stop
    report = world.run()
    assert world.versions.current(PROJECT).name == report["version"]
    assert [one["reason"] for one in report["skipped_cleanup"]] == ["stopped on request"] * 5
    assert "Label next" not in world.label_studio.lists


def test_a_report_that_cannot_be_illustrated_for_want_of_space_switches_nothing(world):
    def fail(*_):
        raise OutOfSpace("the disk is full")

    world.illustrations.draw, before = fail, world.label_studio.model_version
    with pytest.raises(OutOfSpace):
        world.run()
    assert world.label_studio.model_version == before
    assert world.versions.current(PROJECT) is None


@pytest.mark.parametrize("fatal", [OutOfSpace("the disk is full"), QueueUnreachable("lost")])
def test_what_no_report_could_be_written_after_ends_the_job(world, fatal):
    def fail(_):
        raise fatal

    world.label_studio.refresh_tabs = fail
    with pytest.raises(type(fatal)):
        world.run()


def test_chosen_tasks_alone_are_labeled(world):
    report = world.run(task_ids=(TaskId(30), TaskId(31)))
    assert report["predicted"] == 2


def test_a_round_lists_what_to_label_next(world):
    world.run()
    listed = world.label_studio.lists["Label next"]
    assert len(listed) == 20
    assert set(listed) <= set(range(13, 41))


@pytest.mark.parametrize("by_uncertainty", [False, True])
def test_it_is_spread_over_clusters_where_label_studio_samples_by_them(world, by_uncertainty):
    """Each cluster takes Label Studio a request."""
    project = world.label_studio.known[FIRST]
    world.label_studio.known[FIRST] = replace(project, samples_by_uncertainty=by_uncertainty)
    version = world.run()["version"]
    listed = world.label_studio.lists["Label next"]
    spread = {task for task, made_by in world.label_studio.clusters if made_by == version}
    assert spread == (set(listed) if by_uncertainty else set())


def test_only_the_first_round_waits_for_the_deletion_of_earlier_markers(world):
    world.run()
    assert all(world.label_studio.tidied)
    world.label_studio.tidied.clear()
    world.run()
    assert not any(world.label_studio.tidied)


def test_the_algorithm_reaches_the_model_family(world):
    world.run(algorithm=Algorithm.PRECISE)
    assert world.family.training_sets[0].algorithm is Algorithm.PRECISE


def test_pre_labeling_uses_the_chosen_version_and_trains_nothing(world):
    old = world.run()["version"]
    world.run()
    world.family.training_sets.clear()
    job = world.job(mode=Mode.PRE_LABELING, model_version=old)
    report = world.report(world.pre_labeling, job)
    assert report["version"] == old
    assert report["predicted"] == 28
    assert world.family.training_sets == []
    assert world.label_studio.model_version == old


def test_pre_labeling_reports_what_was_found_out_when_its_version_was_trained(world):
    # given a version with the report of its training, and a newer one
    training = world.run()
    training = {**training, "notes": {"c": {"solver": "lbfgs"}}, "per_class": [{"label": "cat"}]}
    world.reports = [world.run(), {**training, "mode": "pre-labeling", "notes": {}}, training]
    # when it labels once more
    job = world.job(mode=Mode.PRE_LABELING, model_version=training["version"])
    report = world.report(world.pre_labeling, job)
    # then its report says so, and that nothing was trained now
    assert (report["notes"], report["per_class"]) == (training["notes"], training["per_class"])
    assert list(report["seconds"]) == ["list", "fetch", "embed", "train", "predict", "push"]
    assert report["seconds"]["train"] == 0


def test_pre_labeling_with_a_version_of_unknown_training_says_nothing_of_it(world):
    version = world.run()["version"]
    job = world.job(mode=Mode.PRE_LABELING, model_version=version)
    report = world.report(world.pre_labeling, job)
    assert (report["notes"], report["per_class"]) == ({}, [])


def test_pre_labeling_again_sends_nothing_twice(world):
    version = world.run()["version"]
    world.label_studio.people |= {TaskId(50): None}
    job = world.job(mode=Mode.PRE_LABELING, model_version=version)
    assert world.report(world.pre_labeling, job)["predicted"] == 1
    assert world.report(world.pre_labeling, job)["predicted"] == 0


def test_pre_labeling_refuses_a_version_with_other_labels(world):
    version = world.run()["version"]
    world.label_studio.label_config = CHOICES.replace('"dog"', '"wolf"')
    with pytest.raises(Refused, match="does not fit"):
        world.pre_label(version)


class Blind(ParityFamily):
    """Finds nothing on every third image."""

    def fit(self, training_set):
        return SeesLittle(training_set.control.labels)


class SeesLittle(ParityModel):
    def predict(self, images, fetch, progress):
        predictions = super().predict(images, fetch, progress)
        answers = tuple(
            Choices(()) if task % 3 == 0 else answer
            for task, answer in zip(images.tasks, predictions.answers, strict=True)
        )
        return replace(predictions, answers=answers, confidence=np.linspace(0.1, 0.3, len(images)))


def test_hard_examples_on_which_nothing_was_found_have_a_tab_of_their_own(world):
    world.label_studio.label_config = CHOICES.replace("<Choices ", '<Choices choice="multiple" ')
    world.families.update(dict.fromkeys(TaskKind, Blind()))
    report = world.run()
    listed = world.label_studio.lists[TabTitle.HARD_AND_EMPTY]
    assert listed
    assert all(task % 3 == 0 for task in listed)
    hardness = {example["task"]: example["coefficient"] for example in report["hardest"]}
    found = [hardness[task] for task in listed if task in hardness]
    assert found == sorted(found, reverse=True)


class TimedExtractor(FakeFeatureExtractor):
    """Each call of `extract` takes a second, those for augmented copies included."""

    def timings(self):
        return {Step.FETCH: 0.0, Step.EMBED: float(len(self.extracted))}


def test_copies_that_are_embedded_to_predict_count_as_predicting_only(tmp_path):
    world = World(tmp_path, extractor=TimedExtractor())
    settings = Settings(data_dir=tmp_path, augmented_images=20)
    job = world.use_cases(settings=settings).jobs()[Mode.ACTIVE_LEARNING]
    report = world.report(job, world.job())
    assert world.extractor.augmented
    assert report["seconds"]["embed"] == 1
