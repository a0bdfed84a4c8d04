"""Whatever people do to a project, its promises break no more often than they may.

`python -m tests.bench audit` does the same for 2,000 projects each.
"""

from itertools import product
from math import sqrt

import numpy as np
import pytest

from backend.domain.audits import AuditTerms, Promise
from tests.fakes.audited_projects import PEOPLE, confirms_what_is_right, honest, live

pytestmark = pytest.mark.no_cover  # what it runs is measured in tests/unit

PROJECTS = 20

CASES = [
    *product(PEOPLE, ["calibrated"]),
    *product([honest, confirms_what_is_right], ["constant", "backward"]),
]


@pytest.mark.parametrize(
    ("people", "ranking"), CASES, ids=lambda one: getattr(one, "__name__", str(one))
)
@pytest.mark.parametrize("promise", [Promise.DATASET, Promise.ACCEPTED])
def test_the_promise_is_kept(promise, people, ranking):
    rng = np.random.default_rng(7)
    terms = AuditTerms(promise, 0.1, 0.8)
    broken = sum(
        live(rng, terms, people, ranking, size=200, sample=60, rounds=2).broken
        for _ in range(PROJECTS)
    )
    assert broken / PROJECTS <= 0.2 + 2 * sqrt(0.2 * 0.8 / PROJECTS)
