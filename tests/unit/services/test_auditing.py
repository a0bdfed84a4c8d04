"""Audits of a project, from the draw to the acceptance and its undo."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from backend.domain.answers import Choices
from backend.domain.audits import Promise
from backend.domain.errors import Refused, Stopped
from backend.domain.ids import AuditId, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import Mode
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.policies.certification import risk
from backend.policies.certification.audit_certificate import problems
from backend.services.auditing import NONE_OPEN
from tests.fakes.models import ParityFamily, ParityModel
from tests.fakes.steps import FakeSteps, quiet
from tests.fakes.world import CHOICE, World

PROJECT = ProjectId(1)
FIRST = AuditId(1)
IMAGES = 900


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, images=IMAGES)


def sample_of(world):
    return world.label_studio.lists[TabTitle.AUDIT]


def unlabeled(world):
    return [task for task, answers in world.label_studio.people.items() if answers is None]


def drawn(world, **changes):
    """Draw an audit; returns the sample."""
    world.run(accept=True, **changes)
    return sample_of(world)


def drawn_of_the_accepted(world):
    """Draw an audit for the promise `accepted`, once labeling on brings little more."""
    world.label(range(13, 73))
    return drawn(world, promise=Promise.ACCEPTED)


def audited(world, progress=quiet, number=9):
    """Run the auditing job; returns its result."""
    job = replace(world.job(mode=Mode.AUDITING), id=JobId(f"job-{number}"))
    return world.auditing(job, FakeSteps(progress))


class AlwaysFirst(ParityModel):
    def predict(self, images, fetch, progress):
        predictions = super().predict(images, fetch, progress)
        answers = tuple(Choices((self.labels[0],)) for _ in predictions.answers)
        return type(predictions)(answers, predictions.confidence, predictions.probabilities)


class Wrong(ParityFamily):
    """Learns to say the first label of everything, and is sure of it."""

    def fit(self, training_set):
        self.training_sets.append(training_set)
        return AlwaysFirst(training_set.control.labels)


def more_images(world, many=10):
    """Import images, so that something is left to label."""
    last = max(world.label_studio.people)
    world.label_studio.people |= {TaskId(last + n): None for n in range(1, many + 1)}


def wrong(world):
    world.families |= dict.fromkeys(world.families, Wrong())


def test_without_accept_no_audit_is_drawn(world):
    world.run()
    assert world.ledgers.load(PROJECT).open_audit is None
    assert TabTitle.AUDIT not in world.label_studio.lists


def test_a_job_that_may_accept_draws_an_audit_and_says_price_and_yield(world):
    report = world.run(accept=True)
    sample = sample_of(world)
    assert 30 <= len(sample) <= 400
    assert report["accepted"] == 0
    assert f"Label these {len(sample)} random images (tab 'Audit'), and about" in report["reason"]
    assert "others will be accepted" in report["verdict"]
    assert set(sample) <= set(range(13, IMAGES + 1))


def test_audit_images_have_no_prediction_before_people_labeled_them(world):
    world.run()
    assert len(world.label_studio.predictions) == IMAGES - 12
    sample = set(drawn(world))
    predicted = {task for task, _ in world.label_studio.predictions}
    assert predicted == set(range(13, IMAGES + 1)) - sample
    # nor does a later job give them one
    world.run()
    assert sample.isdisjoint(task for task, _ in world.label_studio.predictions)


def test_an_audit_waits_for_its_last_image(world):
    sample = drawn(world)
    world.label(sample[1:])
    assert not world.use_cases().auditing.is_answered(PROJECT)
    report = world.run(accept=True)
    assert f"1 of {len(sample)} images in the tab 'Audit' are not labeled yet" in report["reason"]
    assert "not labeled yet" in audited(world).reason
    assert world.ledgers.load(PROJECT).risk.spent == 0


def test_a_labeled_audit_accepts_what_was_frozen_and_its_certificate_holds(world):
    sample = drawn(world)
    world.label(sample)
    assert world.use_cases().auditing.is_answered(PROJECT)
    result = audited(world)
    file = world.audits.certificate(PROJECT, JobId("job-9"))
    assert problems(file) == ()
    assert result.accepted == len(file.accepted) == file.certificate.accepted > 500
    assert result.sections["certificate"]["sentence"] in result.reason
    accepted = {one.task for one in file.accepted}
    assert accepted.isdisjoint(sample)
    assert all(world.label_studio.people[task] == {CHOICE: world.answer(task)} for task in accepted)
    # and the audit is closed, its risk spent
    ledger = world.ledgers.load(PROJECT)
    assert (ledger.open_audit, sample_of(world)) == (None, ())
    assert ledger.risk.spent == pytest.approx(0.75 * 0.05)
    assert ledger.risk.allowed == file.certificate.allowed == 0.05 * IMAGES
    assert audited(world).reason == NONE_OPEN


def test_the_next_job_that_may_accept_tests_a_labeled_audit_in_place_of_training(world):
    world.label(drawn(world))
    trainings = len(world.family.training_sets)
    assert world.run(accept=True)["accepted"] > 500
    assert len(world.family.training_sets) == trainings


def test_an_audit_that_a_job_closes_while_its_labels_are_read_is_not_tested_again(world):
    world.label(drawn(world))
    studio, auditing = world.label_studio, world.use_cases().auditing
    read = studio.audit_labels

    def closing(project, schema, tasks):
        studio.audit_labels = read
        assert audited(world).accepted > 500
        return read(project, schema, tasks)

    studio.audit_labels = closing
    assert not auditing.is_answered(PROJECT)


def test_while_some_of_an_audit_waits_its_labels_are_not_read(world):
    sample = drawn(world)
    world.label(sample[:-1])
    studio, auditing = world.label_studio, world.use_cases().auditing
    with patch.object(studio, "audit_labels", side_effect=AssertionError("reads the sample")):
        assert not auditing.is_answered(PROJECT)
    world.label(sample[-1:])
    assert auditing.is_answered(PROJECT)


def test_pre_labeling_draws_audits_too(world):
    version = world.run()["version"]
    report = world.pre_label(version, accept=True)
    assert "others will be accepted" in report["reason"]
    world.label(sample_of(world))
    assert world.pre_label(version, accept=True)["accepted"] > 500


def test_the_labels_of_the_audit_teach_and_accepted_ones_do_not(world):
    sample = drawn(world)
    world.label(sample)
    audited(world)
    more_images(world)
    world.run()
    learned = world.family.training_sets[-1]
    known = {*learned.train.tasks, *learned.held_out.tasks}
    assert known == {*range(1, 13), *sample}


def test_a_model_that_is_wrong_accepts_nothing_but_what_may_be_wrong(world):
    wrong(world)
    world.label(drawn_of_the_accepted(world))
    result = audited(world)
    assert result.accepted == 0
    assert "nothing accepted" in result.reason
    assert world.ledgers.load(PROJECT).risk.spent == pytest.approx(0.75 * 0.05)
    assert world.ledgers.load(PROJECT).open_audit is None


def spoil(world, tasks, how):
    for task in tasks:
        if how == "skipped":
            world.label_studio.people[task] = None
            world.label_studio.skipped.add(task)
        elif how == "deleted":
            del world.label_studio.people[task]
        elif how == "made from a prediction":
            world.label_studio.seen.add(task)
        else:
            other = Choices((Label("cat" if task % 2 else "dog"),))
            world.label_studio.others[task] = [{CHOICE: other}]


@pytest.mark.parametrize("how", ["skipped", "deleted", "made from a prediction", "disputed"])
def test_audit_images_that_are_not_labeled_blind_and_of_one_mind_count_as_wrong(world, how):
    sample = drawn_of_the_accepted(world)
    world.label(sample)
    spoil(world, sample[:40], how)
    ended = audited(world)
    assert ended.accepted == 0
    assert ("40 audit images are unclear" in ended.reason) is (how == "disputed")


def test_what_people_label_and_delete_meanwhile_is_not_accepted(world):
    world.label(drawn(world))
    free = sorted(set(unlabeled(world)))
    world.label(free[:50])
    for task in free[50:60]:
        del world.label_studio.people[task]
    result = audited(world)
    file = world.audits.certificate(PROJECT, JobId("job-9"))
    assert problems(file) == ()
    assert set(free[:60]) >= set(file.left)
    assert {one.task for one in file.accepted}.isdisjoint(free[:60])
    assert result.accepted == len(file.accepted)


def test_tasks_imported_meanwhile_are_not_accepted(world):
    world.label(drawn(world))
    world.label_studio.people |= {TaskId(task): None for task in range(2001, 2051)}
    world.run()
    audited(world)
    assert {TaskId(task) for task in range(2001, 2051)} <= set(unlabeled(world))


def test_a_new_version_in_between_does_not_change_what_is_tested(world):
    sample = drawn(world)
    frozen = world.audits.load(PROJECT, FIRST)
    world.label(sample)
    wrong(world)
    world.run()
    audited(world)
    file = world.audits.certificate(PROJECT, JobId("job-9"))
    assert file.audit == frozen
    assert all(world.label_studio.people[one.task] == one.answers for one in file.accepted)


def test_frozen_predictions_that_label_studio_lost_are_stored_again(world):
    world.label(drawn(world))
    world.label_studio.predictions.clear()
    assert audited(world).accepted > 500


def test_undo_gives_the_mistakes_back_and_none_of_the_risk(world):
    world.label(drawn(world))
    made = audited(world).accepted
    undone = world.auto_accept.undo(PROJECT, JobId("job-9"), quiet)
    ledger = world.ledgers.load(PROJECT)
    assert undone.deleted == made
    assert (ledger.risk.allowed, ledger.risk.spent) == (0, pytest.approx(0.75 * 0.05))
    # and a second audit gets three quarters of what is left
    world.run(accept=True)
    assert world.audits.load(PROJECT, AuditId(2)).risk == pytest.approx(0.75 * 0.0125)


def test_a_used_up_budget_draws_no_audit_for_the_data_set(world):
    world.label(drawn(world))
    audited(world)
    more_images(world)
    assert "may already be wrong" in world.run(accept=True)["reason"]


def test_a_round_at_low_confidence_leaves_nothing_for_a_high_one(world):
    world.label(drawn(world, confidence=0.5))
    audited(world)
    more_images(world)
    assert "used up its confidence of 95 %" in world.run(accept=True)["reason"]


@pytest.mark.parametrize("promise", [Promise.DATASET, Promise.ACCEPTED])
def test_an_audit_that_does_not_pay_is_not_drawn(tmp_path, promise):
    world = World(tmp_path, images=60)
    assert "No audit pays" in world.run(accept=True, promise=promise)["reason"]
    assert world.ledgers.load(PROJECT).open_audit is None


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_an_acceptance_that_broke_off_goes_on_under_the_same_certificate(world, batch):
    world.label(drawn(world))
    seen = []

    def stop(step, done, of, detail=""):
        if step is Step.ACCEPT:
            seen.append(done)
            if len(seen) > batch:
                raise Stopped

    with pytest.raises(Stopped):
        audited(world, stop)
    # people go on labeling, which must not change what is accepted
    world.label(unlabeled(world)[:20])
    spent = world.ledgers.load(PROJECT).risk.spent
    audited(world, number=10)
    ((job, acceptance),) = world.ledgers.load(PROJECT).acceptances.items()
    file = world.audits.certificate(PROJECT, job)
    assert world.ledgers.load(PROJECT).risk.spent == spent
    assert acceptance.complete
    assert {one.task for one in file.accepted} >= set(acceptance.tasks)
    assert all(world.label_studio.people[one.task] is not None for one in file.accepted)
    assert world.ledgers.load(PROJECT).open_audit is None


def test_a_crash_right_after_the_risk_was_written_does_not_spend_it_twice(world):
    world.label(drawn(world))
    ledger = world.ledgers.load(PROJECT)
    audit = world.audits.load(PROJECT, FIRST)

    paid = replace(ledger, risk=risk.spend(ledger.risk, audit.id, audit.risk))
    world.ledgers.save(PROJECT, paid)
    assert audited(world).accepted > 500
    assert world.ledgers.load(PROJECT).risk.spent == pytest.approx(audit.risk)


def test_versions_show_the_certificate_of_what_stands(world):
    world.label(drawn(world))
    audited(world)
    version = world.audits.load(PROJECT, FIRST).version
    assert set(world.auto_accept.certified(PROJECT)) == {VersionName(version)}
    world.auto_accept.undo(PROJECT, JobId("job-9"), quiet)
    assert world.auto_accept.certified(PROJECT) == {}


# --- labels that are stated to be a random sample -------------------------------------------------


def stated(world, **changes):
    """Label 400 images at random, say so, and run a job that may accept."""
    world.label(range(13, 401))
    return world.run(accept=True, labels_are_random=True, **changes)


def test_labels_stated_to_be_random_make_an_audit_at_once(world):
    report = stated(world)
    file = world.audits.certificate(PROJECT, JobId("job-1"))
    assert problems(file) == ()
    assert report["accepted"] == len(file.accepted) > 400
    assert "as was stated" in report["certificate"]["sentence"]
    # and no model learned from its sample
    learned = world.family.training_sets[-1]
    sample = {file.audit.region[place].task for place in file.audit.sample}
    assert sample.isdisjoint([*learned.train.tasks, *learned.held_out.tasks])
    assert 120 < len(sample) < 260
    assert sample.isdisjoint(task for task, _ in world.label_studio.predictions)


def test_labels_made_from_predictions_are_in_no_stated_sample(world):
    world.label_studio.seen |= {TaskId(task) for task in range(1, 401)}
    report = stated(world)
    assert report["accepted"] == 0
    assert not world.audits.load(PROJECT, FIRST).stated, "one is drawn in their place"
    # and their number is said
    assert "400 labels were made from predictions" in report["verdict"]
    assert "never count as part of a random sample." in report["reason"]
    assert report["made_from_predictions"] == 400


def test_one_label_made_from_a_prediction_is_counted_and_the_others_audit(world):
    world.label_studio.seen.add(TaskId(20))
    world.label(range(13, 401))
    world.run(accept=True, labels_are_random=True)
    audit = world.audits.load(PROJECT, FIRST)
    assert audit.stated
    assert TaskId(20) not in {one.task for one in audit.region}


def test_few_stated_labels_all_train_and_other_images_are_drawn(world):
    # given six labels of each class: half of them would not train a model
    report = world.run(accept=True, labels_are_random=True)
    assert not world.audits.load(PROJECT, FIRST).stated
    assert len(sample_of(world)) > 30
    assert "tab 'Audit'" in report["reason"]
    learned = world.family.training_sets[-1]
    assert len({*learned.train.tasks, *learned.held_out.tasks}) == 12


def test_too_few_labels_are_refused_though_they_are_stated_to_be_random(world):
    world.label_studio.people |= {TaskId(task): None for task in range(1, 7)}
    with pytest.raises(Refused, match="of 5 images"):
        world.run(accept=True, labels_are_random=True)


# --- what people had begun before the draw --------------------------------------------------------


def test_images_that_somebody_had_begun_to_annotate_are_in_no_region(world):
    # given drafts on every second image, begun while a prediction was on the screen
    world.run()
    world.label_studio.drafts = {TaskId(task) for task in range(13, IMAGES + 1, 2)}
    drawn(world)
    region = {one.task for one in world.audits.load(PROJECT, FIRST).region}
    assert region
    assert region.isdisjoint(world.label_studio.drafts)
    # and the drafts keep the predictions that they were begun from
    predicted = {task for task, _ in world.label_studio.predictions}
    assert world.label_studio.drafts <= predicted


def test_drafts_begun_after_the_draw_are_blind(world):
    sample = drawn(world)
    world.label_studio.drafts = set(sample)
    world.label(sample)
    assert audited(world).accepted > 500


def test_labels_that_taught_the_version_do_not_audit_it(world):
    world.label(range(13, 401))
    world.run()
    report = world.run(accept=True, labels_are_random=True)
    assert world.ledgers.load(PROJECT).open_audit or report["accepted"] == 0
    audit = world.audits.drawn.get((PROJECT, FIRST))
    assert audit is None or not audit.stated
