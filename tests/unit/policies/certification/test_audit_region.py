from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from backend.domain.audits import AuditTerms, Promise
from backend.domain.ids import AuditId, TaskId
from backend.policies.certification.audit_region import draw, ranked, rng_of, stops
from backend.policies.certification.hypergeometric import most_mistakes

DATASET, ACCEPTED = AuditTerms(), AuditTerms(Promise.ACCEPTED)


def test_the_surest_come_first_and_ties_are_ordered_by_task():
    scores = np.array([0.5, 0.9, 0.9, 0.1], dtype=np.float32)
    assert ranked(scores, [TaskId(4), TaskId(9), TaskId(3), TaskId(1)]).tolist() == [2, 1, 0, 3]


def test_each_sample_is_equally_likely():
    rng = np.random.default_rng(0)
    drawn = Counter(tuple(draw(5, 2, rng).tolist()) for _ in range(4000))
    assert set(drawn) == set(combinations(range(5), 2))
    assert max(abs(count - 400) for count in drawn.values()) < 5 * 20


def test_the_seed_and_the_audit_draw_the_same_sample_again():
    first, again, other = (draw(500, 20, rng_of(7, AuditId(k))).tolist() for k in (1, 1, 2))
    assert first == again != other


def test_prefixes_end_right_before_an_audit_image_or_with_the_region():
    sample = draw(900, 150, np.random.default_rng(1))
    for terms in (DATASET, ACCEPTED):
        found = stops(900, sample, terms, 0.0375, 40)
        assert found
        assert set(found) <= {*sample.tolist(), 900}


def test_an_accepted_audit_starts_late_and_each_prefix_affords_more():
    sample = draw(5000, 200, np.random.default_rng(2))
    sizes = np.array(stops(5000, sample, ACCEPTED, 0.0375, 0))
    sampled = np.searchsorted(sample, sizes)
    allowed = np.floor(0.05 * (sizes - sampled)).astype(int)
    limits = most_mistakes(sizes, sampled, allowed, 0.0375)
    assert sampled[0] >= 0.4 * 200 + 25
    assert limits[0] >= 1
    assert np.all(np.diff(limits) > 0)


def test_a_small_sample_may_afford_no_mistake():
    sample = draw(2000, 70, np.random.default_rng(3))
    assert len(stops(2000, sample, ACCEPTED, 0.0375, 0)) == 1


@pytest.mark.parametrize(("terms", "size", "count"), [(ACCEPTED, 500, 20), (DATASET, 500, 1)])
def test_no_prefix_is_tested_where_no_sample_could_pass(terms, size, count):
    sample = draw(size, count, np.random.default_rng(4))
    assert stops(size, sample, terms, 0.0375, 0) == ()


@pytest.mark.parametrize("terms", [DATASET, ACCEPTED])
def test_without_a_sample_nothing_is_tested(terms):
    assert stops(0, np.array([], dtype=np.intp), terms, 0.0375, 10) == ()


def test_a_used_up_budget_is_no_error():
    sample = draw(60, 40, np.random.default_rng(5))
    assert stops(60, sample, DATASET, 0.0375, -3) == stops(60, sample, DATASET, 0.0375, 0)
