"""Certified auto-accept, from drawing the audit sample to the undo."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain.answers import Choices
from backend.domain.errors import Refused
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.jobs import Mode
from backend.domain.tab_titles import TabTitle
from backend.services import audit_sample
from backend.services.training import seen_tasks
from tests.fakes.models import ParityFamily, ParityModel
from tests.fakes.steps import quiet
from tests.fakes.world import World

PROJECT = ProjectId(1)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, images=600)


def unlabeled(world):
    return [task for task, answers in world.label_studio.people.items() if answers is None]


def audit_of(world):
    return world.label_studio.lists[TabTitle.AUDIT]


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


def test_without_accept_no_audit_sample_is_drawn_and_nothing_is_accepted(world):
    report = world.run()
    assert report["accepted"] == 0
    assert world.ledgers.load(PROJECT).audit == frozenset()
    assert all(world.label_studio.people[task] is None for task in range(13, 601))


def test_the_first_accepting_job_draws_an_audit_sample_and_asks_people_to_label_it(world):
    report = world.run(accept=True)
    audit = audit_of(world)
    assert 50 <= len(audit) <= 300
    assert set(audit).isdisjoint(range(1, 13))
    assert report["accepted"] == 0
    assert report["unlabeled"] == report["predicted"] + len(audit)
    assert f"{len(audit)} random images wait to be labeled" in report["reason"]
    assert "Label first (random)" in report["reason"]


def test_images_of_the_audit_sample_get_no_prediction_before_people_labeled_them(world):
    world.run(accept=True)
    predicted = {task for task, _ in world.label_studio.predictions}
    assert predicted.isdisjoint(audit_of(world))


def test_an_image_that_joins_the_audit_sample_loses_the_predictions_it_had(world):
    world.run()
    assert len({task for task, _ in world.label_studio.predictions}) == 588
    world.run(accept=True)
    predicted = {task for task, _ in world.label_studio.predictions}
    assert predicted == set(range(13, 601)) - set(audit_of(world))


def test_an_audit_sample_drawn_for_pre_labeling_has_no_predictions_either(world):
    version = VersionName(world.run()["version"])
    request = {"mode": Mode.PRE_LABELING, "model_version": version, "accept": True}
    world.report(world.pre_labeling, world.job(**request))
    predicted = {task for task, _ in world.label_studio.predictions}
    assert audit_of(world)
    assert predicted.isdisjoint(audit_of(world))


def imported(world, first, last):
    world.label_studio.people |= {TaskId(task): None for task in range(first, last + 1)}


def test_images_imported_later_join_the_audit_sample_at_the_same_rate(world):
    world.run(accept=True)
    before = world.ledgers.load(PROJECT)
    world.label(audit_of(world))
    imported(world, 601, 1000)
    report = world.run(accept=True)
    joined = audit_of(world)
    assert before.share * 400 / 2 < len(joined) < before.share * 400 * 2
    assert all(task > 600 for task in joined)
    assert report["accepted"] == 0
    world.label(joined)
    assert world.run(accept=True)["accepted"] > 0


def test_an_audit_sample_that_would_grow_too_large_by_imports_drops_some_members(world):
    for task in range(101, 601):
        del world.label_studio.people[task]
    world.run(accept=True)
    before = world.ledgers.load(PROJECT)
    world.label(audit_of(world))
    imported(world, 101, 1100)
    world.run(accept=True)
    after = world.ledgers.load(PROJECT)
    assert before.share > 0.5 > after.share
    assert len(after.audit) == 275, "a quarter of the project"
    assert before.audit - after.audit <= after.before, "it stands for them no more"


def test_a_skipped_image_of_the_audit_sample_counts_as_a_wrong_answer(world):
    world.run(accept=True)
    audit = audit_of(world)
    world.label(audit[:-20])
    world.label_studio.skipped |= set(audit[-20:])
    assert world.run(accept=True)["accepted"] == 0
    assert world.ledgers.load(PROJECT).attempts > 0, "it was tested, and failed"


def test_a_deleted_image_of_the_audit_sample_does_not_count(world):
    world.run(accept=True)
    audit = audit_of(world)
    world.label(audit[:-5])
    for task in audit[-5:]:
        del world.label_studio.people[task]
    assert world.run(accept=True)["certificate"]["sample"] == len(audit) - 5


def test_labels_given_since_the_audit_sample_was_drawn_make_the_test_harder(world):
    world.run(accept=True)
    drawn = world.ledgers.load(PROJECT)
    assert drawn.before == set(range(1, 13))
    world.label(audit_of(world))
    some = unlabeled(world)[:20]
    world.label(some)
    labeled = [TaskId(task) for task in (*range(1, 13), *sorted(drawn.audit), *some)]
    found = audit_sample.labeled_since(drawn, labeled)
    assert [labeled[position] for position in found] == some


def test_validation_images_and_the_pool_are_used_alike_in_training(world):
    world.run(accept=True)
    audit = audit_of(world)
    world.label(audit)
    world.run(accept=True)
    looked_at = world.family.training_sets[-1].unlabeled.tasks
    assert set(audit) < set(looked_at)
    assert list(looked_at) == sorted(looked_at)


def test_an_audit_sample_that_is_labeled_in_part_certifies_nothing(world):
    world.run(accept=True)
    audit = audit_of(world)
    world.label(audit[: len(audit) // 2])
    report = world.run(accept=True)
    assert report["accepted"] == 0
    assert world.ledgers.load(PROJECT).attempts == 0
    assert audit_of(world) == audit[len(audit) // 2 :]


def accepted(world):
    world.run(accept=True)
    world.label(audit_of(world))
    return world.run(accept=True)


def test_a_labeled_audit_sample_certifies_and_confident_predictions_become_annotations(world):
    report = accepted(world)
    certificate = report["certificate"]
    assert certificate["mistakes"] == 0
    assert certificate["error_rate"] == 0.05
    assert "at most 5 %" in certificate["promise"]
    assert report["accepted"] > 0
    taken = world.ledgers.load(PROJECT).accepted
    assert len(taken) == report["accepted"]
    assert all(world.label_studio.people[task] is not None for task in taken)
    assert list(world.auto_accept.certified(PROJECT)) == [world.versions.current(PROJECT).name]


def test_a_version_that_was_certified_later_is_known_to_be_until_that_is_undone(world):
    version = VersionName(world.run()["version"])
    request = {"mode": Mode.PRE_LABELING, "model_version": version, "accept": True}
    world.report(world.pre_labeling, world.job(**request))
    world.label(audit_of(world))
    world.report(world.pre_labeling, world.job(**request))
    assert "at most 5 %" in world.auto_accept.certified(PROJECT)[version].promise
    world.auto_accept.undo(PROJECT, world.job().id, quiet)
    assert world.auto_accept.certified(PROJECT) == {}


def test_no_model_is_trained_on_the_audit_sample_or_on_accepted_labels(world):
    accepted(world)
    ledger = world.ledgers.load(PROJECT)
    world.label_studio.people[601] = None
    world.run()
    training_set = world.family.training_sets[-1]
    seen = set(training_set.train.tasks) | set(training_set.held_out.tasks)
    assert seen.isdisjoint(ledger.audit - ledger.spent)
    assert seen.isdisjoint(ledger.accepted)


def test_images_that_somebody_chose_are_not_certified_by_a_sample_of_all(world):
    world.run(accept=True)
    world.label(audit_of(world))
    everything = unlabeled(world)
    report = world.run(accept=True, task_ids=tuple(everything[:400]))
    assert report["accepted"] == 0
    left = len(everything) - 400
    assert f"{left} of them are not among the chosen ones" in report["reason"]
    assert world.ledgers.load(PROJECT).attempts == 0
    assert world.run(accept=True, task_ids=tuple(everything))["accepted"] > 0


def test_each_test_uses_up_confidence_even_when_it_accepts_nothing(world):
    world.families.update(dict.fromkeys(world.family.kinds, Wrong()))
    report = accepted(world)
    assert report["accepted"] == 0
    assert "were wrong; the model must become better first" in report["reason"]
    assert world.ledgers.load(PROJECT).attempts == 2


class Unsure(ParityFamily):
    """Is right, and says that it may well not be."""

    def fit(self, training_set):
        self.training_sets.append(training_set)
        return Hesitant(training_set.control.labels)


class Hesitant(ParityModel):
    def predict(self, images, fetch, progress):
        return replace(
            super().predict(images, fetch, progress),
            confidence=np.full(len(images), 0.8),
        )


def test_a_model_that_is_unsure_of_itself_is_not_tested_and_costs_no_confidence(world):
    world.families.update(dict.fromkeys(world.family.kinds, Unsure()))
    report = accepted(world)
    assert report["accepted"] == 0
    assert "not sure enough of its answers to be tested yet" in report["reason"]
    assert world.ledgers.load(PROJECT).attempts == 0
    assert audit_of(world) == (), "more random labels would not help"


def test_an_audit_sample_too_small_for_the_terms_is_extended_without_a_test(world):
    world.run(accept=True, max_error=0.4, confidence=0.6)
    small = audit_of(world)
    world.label(small)
    report = world.run(accept=True)
    assert "are too few" in report["reason"]
    assert world.ledgers.load(PROJECT).attempts == 0
    assert len(small) < 75 < len(small) + len(audit_of(world)) <= 150
    predicted = {task for task, _ in world.label_studio.predictions}
    assert predicted.isdisjoint(audit_of(world))


def test_an_audit_sample_at_its_limit_is_not_extended(world):
    for task in range(121, 601):
        del world.label_studio.people[task]
    world.run(accept=True)
    world.label(audit_of(world))
    report = world.run(accept=True)
    assert "than a quarter of this project" in report["reason"]
    assert audit_of(world) == ()


def test_half_of_the_labels_declared_to_be_random_join_the_audit_sample(world):
    world.label(range(13, 213))
    report = world.run(accept=True, labels_are_random=True)
    ledger = world.ledgers.load(PROJECT)
    assert 70 <= len(ledger.audit) <= 140
    assert ledger.audit <= set(range(1, 213))
    assert set(world.family.training_sets[-1].train.tasks).isdisjoint(ledger.audit)
    assert report["accepted"] > 0
    assert (
        "assuming that the labeled images are a random sample" in (report["certificate"]["promise"])
    )


def test_labels_too_few_to_give_half_away_are_not_set_aside(world):
    with pytest.raises(Refused, match="class 'cat' has 2 of 5 images to train on"):
        world.run(accept=True, labels_are_random=True)
    assert world.ledgers.load(PROJECT).audit == frozenset()
    assert world.run()["labeled"] == 12


def test_a_certificate_repeats_an_assumption_made_in_an_earlier_job(world):
    world.label(range(13, 213))
    world.run(accept=True, labels_are_random=True, max_error=0.001)
    report = world.run(accept=True)
    assert report["accepted"] > 0
    assert "assuming that the labeled images" in report["certificate"]["promise"]


def test_labels_do_not_certify_a_version_that_was_trained_on_them(world):
    """The version that stays was trained on labels of which half joined the audit sample later."""
    world.label(range(13, 213))
    good = world.run()["version"]
    world.families.update(dict.fromkeys(world.family.kinds, Wrong()))
    report = world.run(accept=True, labels_are_random=True)
    assert world.versions.current(PROJECT).name == good
    assert report["accepted"] == 0
    assert report["reason"].startswith("nothing accepted: 0 random validation images")


def test_an_older_version_is_not_certified_on_its_training_images(world):
    world.label(range(13, 213))
    older = VersionName(world.run()["version"])
    world.run(accept=True, labels_are_random=True, max_error=0.001)
    request = {"mode": Mode.PRE_LABELING, "model_version": older, "accept": True}
    assert world.report(world.pre_labeling, world.job(**request))["accepted"] == 0


def test_a_model_does_not_go_on_from_one_that_saw_its_validation_images(world):
    world.label(range(13, 213))
    world.run()
    world.run()
    world.run(accept=True, labels_are_random=True)
    first, second, third = world.family.training_sets
    assert first.previous is None
    assert second.previous is not None
    assert third.previous is None


def test_a_version_records_the_training_images_of_the_one_it_continues_from(world):
    world.label(range(13, 113))
    world.run()
    world.label_studio.people[TaskId(20)] = None
    world.run()
    current = world.versions.current(PROJECT)
    assert 20 in seen_tasks.of_version(world.versions, current)
    assert 20 not in world.family.training_sets[-1].train.tasks


def test_pre_labeling_accepts_with_a_certificate_too(world):
    version = VersionName(world.run()["version"])
    request = {"mode": Mode.PRE_LABELING, "model_version": version, "accept": True}
    world.report(world.pre_labeling, world.job(**request))
    world.label(audit_of(world))
    report = world.report(world.pre_labeling, world.job(**request))
    assert report["accepted"] > 0


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
