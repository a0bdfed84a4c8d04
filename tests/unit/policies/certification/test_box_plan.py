import numpy as np
import pytest

from backend.domain.audits import AuditTerms, Promise
from backend.policies.certification.box_plan import BoxChances, plan_boxes, region_of
from tests.fakes.audited_boxes import audited_boxes, honest

TERMS = AuditTerms(Promise.BOXES)
RISK = 0.0375


def images(count=1000, rate=0.01, boxes=14, seed=0):
    """Calibrated chances of images with so many boxes, which are wrong at about this rate."""
    rng = np.random.default_rng(seed)
    found = 1.0 + rng.poisson(boxes - 1, count)
    wrong = rate * found * rng.gamma(2, 0.5, count)
    return BoxChances(1 - np.exp(-wrong), found, wrong)


def test_a_good_detector_gets_an_audit_that_pays_though_most_images_need_an_edit():
    pool = images(rate=0.02)
    planned = plan_boxes(pool, 0, TERMS, RISK)
    assert planned.pays
    assert pool.edit.mean() > 0.2
    assert planned.accepted > 300
    assert f"about {planned.accepted:,} others will be accepted" in planned.sentence()


def test_images_with_many_more_boxes_than_others_are_left_out():
    pool = images()
    pool.found[:10] = 200
    planned = plan_boxes(pool, 300, TERMS, RISK)
    assert planned.pays
    assert planned.cap < 40


@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_handful_of_images_is_labeled_by_hand(count):
    assert not plan_boxes(images(count), 300, TERMS, RISK).pays


@pytest.mark.parametrize("rate", [0.2, 0.6])
def test_a_weak_detector_gets_no_audit(rate):
    assert not plan_boxes(images(rate=rate), 300, TERMS, RISK).pays


def test_images_without_boxes_get_no_audit():
    nothing = np.zeros(500)
    assert not plan_boxes(BoxChances(nothing + 0.01, nothing, nothing), 100, TERMS, RISK).pays


@pytest.mark.parametrize("count", [0, 500])
def test_a_region_for_a_given_sample_holds_the_usual_share_of_mistakes(count):
    pool = images(count, rate=0.03)
    size, cap = region_of(pool, TERMS)
    assert (size > 0) == (count > 0)
    kept = np.flatnonzero(pool.found <= cap)[np.argsort(pool.edit[pool.found <= cap])][:size]
    assert pool.wrong[kept].sum() <= 0.05 * pool.found[kept].sum()


def test_the_yield_is_about_what_the_audit_brings():
    pool = images(2000, rate=0.02, seed=4)
    planned = plan_boxes(pool, 300, TERMS, RISK)
    kept = np.flatnonzero(pool.found <= planned.cap)
    kept = kept[np.argsort(pool.edit[kept])][: planned.region]
    found = pool.found[kept].astype(int)
    rng, accepted = np.random.default_rng(5), []
    for seed in range(12):
        wrong = np.minimum(rng.poisson(pool.wrong[kept]), found)
        audited = audited_boxes(found, wrong, wrong, planned.sample, TERMS.max_error, RISK, seed)
        honest(audited, None)
        file = audited.finish()
        accepted.append(len(file.accepted) if file else 0)
    assert np.mean(accepted) == pytest.approx(planned.accepted, rel=0.3)
