from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import hypergeom

from backend.domain.audits import AuditTerms, Promise
from backend.domain.ids import TaskId
from backend.policies.certification.audit_verdict import AuditFindings, accepted, findings, judge
from tests.fakes.audited_projects import drawn_audit

DATASET, ACCEPTED = AuditTerms(max_error=0.1), AuditTerms(Promise.ACCEPTED, 0.1)


def audit_of(size=400, sample=120, terms=DATASET, budget=40, risk=0.0375):
    return drawn_audit(np.linspace(0.99, 0.5, size), sample, terms, budget=budget, risk_given=risk)


def known(audit, wrong=()):
    """People answered the whole sample; these positions of the region were predicted wrong."""
    return {audit.region[position].task: position not in wrong for position in audit.sample}


def test_a_perfect_sample_accepts_the_rest_of_the_region():
    audit = audit_of()
    found = findings(audit, known(audit))
    verdict = judge(audit, found, 40)
    assert verdict.passed.size == 400
    assert set(accepted(found, 400)) == set(range(400)) - set(audit.sample)


def test_the_walk_stops_at_the_first_prefix_that_fails():
    audit = audit_of()
    # given a version that is always right on the surest 200 images and never after
    wrong = [position for position in audit.sample if position >= 200]
    verdict = judge(audit, findings(audit, known(audit, wrong)), 40)
    *passed, failed = verdict.tests
    assert verdict.passed == passed[-1]
    assert failed.p_value > audit.risk
    assert all(test.p_value <= audit.risk for test in passed)
    assert 200 <= verdict.passed.size <= 260


def test_nothing_passes_where_everything_is_wrong():
    audit = audit_of(terms=ACCEPTED)
    verdict = judge(audit, findings(audit, known(audit, audit.sample)), 0)
    assert verdict.passed is None
    assert len(verdict.tests) == 1


def test_the_p_value_is_scipys_with_everything_people_did_meanwhile():
    audit = audit_of(terms=ACCEPTED)
    sample = set(audit.sample)
    others = [position for position in range(400) if position not in sample]
    right = known(audit, list(audit.sample)[:2])
    right |= {audit.region[position].task: False for position in others[:3]}
    right |= {audit.region[position].task: True for position in others[3:10]}
    right |= {audit.region[position].task: None for position in others[10:15]}
    verdict = judge(audit, findings(audit, right), 0)
    test = verdict.tests[0]
    assert (test.mistakes, test.left, test.left_mistakes) == (2, 15, 3)
    assert test.allowed == int(0.1 * test.accepted)
    wrong = 2 + 3 + test.allowed + 1
    assert test.p_value == pytest.approx(hypergeom.cdf(2, test.size, wrong, test.sampled), rel=1e-9)


@pytest.mark.parametrize("answer", [None, False, "missing"])
def test_a_skipped_deleted_or_missing_audit_image_counts_as_wrong(answer):
    audit = audit_of()
    right = known(audit)
    task = audit.region[audit.sample[0]].task
    if answer == "missing":
        del right[task]
    else:
        right[task] = answer
    found = findings(audit, right)
    assert np.flatnonzero(found.wrong).tolist() == [audit.sample[0]]
    assert not found.left.any()


def test_a_deleted_image_outside_the_sample_leaves_without_being_called_wrong():
    audit = audit_of()
    other = next(k for k in range(400) if k not in audit.sample)
    found = findings(audit, {**known(audit), audit.region[other].task: None})
    assert np.flatnonzero(found.left).tolist() == [other]
    assert not found.wrong.any()


def test_tasks_outside_the_region_change_nothing():
    audit = audit_of()
    plain, more = known(audit), {**known(audit), TaskId(99_999): False}
    for one, other in zip(
        (findings(audit, plain).sampled, findings(audit, plain).left, findings(audit, plain).wrong),
        (findings(audit, more).sampled, findings(audit, more).left, findings(audit, more).wrong),
        strict=True,
    ):
        assert np.array_equal(one, other)


def test_a_project_that_holds_too_many_mistakes_already_accepts_nothing():
    audit = audit_of()
    assert judge(audit, findings(audit, known(audit)), -1).passed is None


def test_as_many_images_as_may_be_wrong_need_no_evidence():
    audit = audit_of(size=60, sample=20, budget=30)
    test = judge(audit, findings(audit, known(audit, audit.sample)), 30).tests[0]
    assert (test.p_value, test.accepted <= 30) == (0, True)


@pytest.mark.parametrize("terms", [AuditTerms(max_error=0.2), AuditTerms(Promise.ACCEPTED, 0.4)])
@pytest.mark.parametrize("wrong", [(0,), (0, 1, 2), (5, 6, 7, 8), (1, 3, 5, 7), tuple(range(9))])
def test_no_more_samples_than_the_risk_break_the_promise_of_any_small_population(terms, wrong):
    # given a population of 9 images, these wrong, and each sample of 5 that could be drawn
    risk, broken, samples = 0.2, 0, list(combinations(range(9), 5))
    budget = int(terms.max_error * 9)
    truth = np.isin(np.arange(9), wrong)
    for sample in samples:
        sampled = np.isin(np.arange(9), sample)
        audit = replace(
            audit_of(9, 5, terms, budget, risk),
            sample=sample,
            stops=tuple(int(size) for size in (*sample[1:], 9)),
        )
        found = AuditFindings(sampled, np.zeros(9, bool), sampled & truth)
        passed = judge(audit, found, budget).passed
        rows = list(accepted(found, passed.size)) if passed else []
        allowed = budget if terms.promise is Promise.DATASET else terms.max_error * len(rows)
        broken += truth[rows].sum() > allowed
    assert broken <= risk * len(samples)
