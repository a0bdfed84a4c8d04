import numpy as np
import pytest

from backend.domain.audits import AuditTerms, Promise
from backend.policies.certification.audit_plan import plan
from backend.policies.certification.audit_price import AuditPlan
from tests.fakes.audited_projects import SimulatedProject

DATASET, ACCEPTED = AuditTerms(), AuditTerms(Promise.ACCEPTED)
RISK = 0.0375


def chances(size=3000, sure=3.0, seed=0):
    return 1 - np.random.default_rng(seed).beta(sure, 0.4, size)


@pytest.mark.parametrize("terms", [DATASET, ACCEPTED])
def test_a_good_model_gets_an_audit_that_pays(terms):
    found = plan(chances(), 0, terms, RISK, 165)
    assert found.pays
    assert found.sample <= found.region / 3
    assert found.accepted <= found.region - found.sample
    assert f"Label these {found.sample} random images" in found.sentence()
    assert f"about {found.accepted:,} others will be accepted" in found.sentence()


def test_the_whole_data_set_may_hold_more_mistakes_than_the_accepted_part():
    whole, part = (plan(chances(), 300, terms, RISK, 165) for terms in (DATASET, ACCEPTED))
    assert whole.accepted > part.accepted


def test_an_audit_takes_labels_that_a_finished_data_set_needs_anyway():
    # an audit of 80 would accept 771: forty labels for 25 images, labeled by hand otherwise
    found = plan(chances(1200), 0, DATASET, RISK, 75)
    assert found.sample > 100
    assert found.accepted > 780


def test_a_large_pool_gets_a_sample_that_is_likely_to_pass():
    # an audit of 400 would accept 1,150 images less
    found = plan(chances(20_000), 0, ACCEPTED, RISK, 0)
    assert found.sample > 400


@pytest.mark.parametrize("terms", [DATASET, ACCEPTED])
def test_a_model_that_guesses_gets_no_audit(terms):
    found = plan(np.full(400, 0.5), 100, terms, RISK, 25 if terms is DATASET else 0)
    if terms is ACCEPTED:
        assert found.net <= 0
        assert "No audit pays here" in found.sentence()
    assert not found.pays or found.accepted <= 25


def test_a_weak_model_on_many_images_needs_more_labels_first():
    found = plan(np.linspace(0.03, 0.2, 20_000), 100, ACCEPTED, RISK, 0)
    assert found.more_labels > 0
    assert not found.pays
    assert f"Label about {found.more_labels:,} more images first" in found.sentence()


def test_where_only_more_labels_make_an_audit_pay_the_sentence_promises_nothing_now():
    found = plan(np.linspace(0.05, 0.3, 20_000), 100, ACCEPTED, RISK, 0)
    assert found.now == 0
    assert found.sentence().endswith(f"with an audit of {found.sample}.")


@pytest.mark.parametrize("terms", [DATASET, ACCEPTED])
def test_labels_that_a_finished_data_set_needs_anyway_come_before_its_audit(terms):
    # given a version that is unsure of many images
    found = plan(np.linspace(0.0, 0.15, 1200), 300, terms, RISK, 75)
    # then labeling on is advised although those labels are more than the images gained
    assert found.more_labels > found.accepted - found.now > 0
    assert f"; now about {found.now:,}. A finished data set needs those labels" in found.sentence()


def test_a_version_that_gains_little_by_more_labels_is_audited_now():
    sure = np.concatenate([np.full(2000, 0.001), np.full(200, 0.9)])
    assert plan(sure, 300, DATASET, RISK, 125).pays


@pytest.mark.parametrize("images", [0, 1, 20])
def test_a_handful_of_images_is_labeled_by_hand(images):
    found = plan(np.full(images, 0.01), 50, DATASET, RISK, 3)
    assert not found.pays
    assert "by hand" in found.sentence()


def test_a_used_up_budget_draws_nothing():
    assert not plan(chances(), 0, DATASET, RISK, -2).pays


def test_the_order_of_the_images_does_not_matter():
    values = chances(1000)
    assert plan(values, 200, DATASET, RISK, 60) == plan(values[::-1], 200, DATASET, RISK, 60)


def test_the_sentence_says_which_way_is_faster_in_minutes():
    assert "about 8 minutes" in AuditPlan(900, 120, 680, 20).sentence()
    assert "confirming by hand is faster" in AuditPlan(900, 120, 680, 20).sentence()
    assert "the audit is faster" in AuditPlan(9000, 120, 6800, 200).sentence()


def test_the_yield_is_about_what_the_audit_brings():
    # given the plan for calibrated scores
    values = chances(2000)
    found = plan(values, 300, DATASET, RISK, 100)
    # when such audits are made
    accepted = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        wrong = rng.random(2000) < values
        project = SimulatedProject(rng, DATASET, wrong, 1 - values)
        project.start(found.sample)
        project.answer(project.sample)
        project.finish()
        accepted.append(project.accepted_labels)
    # then as many images are accepted, give or take a fifth
    assert np.mean(accepted) == pytest.approx(found.accepted, rel=0.2)
