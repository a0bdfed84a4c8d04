import numpy as np
import pytest

from backend.domain.audits import AuditTerms, Promise
from backend.policies.certification.box_plan import plan_boxes, region_of
from tests.fakes.audited_boxes import audited_boxes, honest

TERMS = AuditTerms(Promise.BOXES)
RISK = 0.0375


def images(count=1000, rate=0.01, boxes=14, seed=0):
    """Calibrated chances of an edit, and boxes."""
    rng = np.random.default_rng(seed)
    found = 1 + rng.poisson(boxes - 1, count)
    return 1 - np.exp(-rate * found * rng.gamma(2, 0.5, count)), found


def test_a_good_detector_gets_an_audit_that_pays_though_most_images_need_an_edit():
    chances, found = images(rate=0.02)
    planned = plan_boxes(chances, found, 300, TERMS, RISK)
    assert planned.pays
    assert chances.mean() > 0.2
    assert planned.accepted > 300
    assert f"about {planned.accepted:,} others will be accepted" in planned.sentence


def test_images_with_many_more_boxes_than_others_are_left_out():
    chances, found = images()
    found[:10] = 200
    planned = plan_boxes(chances, found, 300, TERMS, RISK)
    assert planned.pays
    assert planned.cap < 40


@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_handful_of_images_is_labeled_by_hand(count):
    assert not plan_boxes(*images(count), 300, TERMS, RISK).pays


@pytest.mark.parametrize("rate", [0.2, 0.6])
def test_a_weak_detector_gets_no_audit(rate):
    assert not plan_boxes(*images(rate=rate), 300, TERMS, RISK).pays


def test_images_without_boxes_get_no_audit():
    assert not plan_boxes(np.full(500, 0.01), np.zeros(500, int), 100, TERMS, RISK).pays


@pytest.mark.parametrize("count", [0, 500])
def test_a_region_for_a_given_sample_holds_the_usual_share_of_mistakes(count):
    chances, found = images(count, rate=0.03)
    size, cap = region_of(chances, found, TERMS)
    assert (size > 0) == (count > 0)
    kept = np.flatnonzero(found <= cap)[np.argsort(chances[found <= cap])][:size]
    assert -np.log1p(-chances[kept]).sum() <= 0.05 * found[kept].sum()


def test_the_yield_is_about_what_the_audit_brings():
    chances, found = images(2000, rate=0.02, seed=4)
    planned = plan_boxes(chances, found, 300, TERMS, RISK)
    kept = np.flatnonzero(found <= planned.cap)
    kept = kept[np.argsort(chances[kept])][: planned.region]
    rng, accepted = np.random.default_rng(5), []
    for seed in range(12):
        edits = rng.poisson(-np.log1p(-chances[kept]))
        wrong = np.minimum(edits, found[kept])
        audited = audited_boxes(
            found[kept], wrong, wrong, planned.sample, TERMS.max_error, RISK, seed
        )
        honest(audited, None)
        file = audited.finish()
        accepted.append(len(file.accepted) if file else 0)
    assert np.mean(accepted) == pytest.approx(planned.accepted, rel=0.3)
