"""Two thousand projects with boxes break the promise no more often than they may."""

from math import sqrt

import numpy as np
import pytest

from tests.fakes.audited_boxes import BOX_PEOPLE, simulated_boxes

pytestmark = pytest.mark.no_cover  # what it runs is measured in tests/unit

PROJECTS, RISK = 2000, 0.3

WORLDS = (
    {"rate": 0.02, "failing": 0.2, "boxes": 4},
    {"rate": 0.15, "failing": 0.06, "boxes": 4},
    {"rate": 0.22, "failing": 0.0, "boxes": 1},
)
"""Versions that are just not good enough. With one box an image the bound is tightest."""


def test_the_promise_about_boxes_is_kept():
    rng, broken, accepting = np.random.default_rng(7), 0, 0
    for project in range(PROJECTS):
        images = simulated_boxes(rng, risk=RISK, **WORLDS[project % len(WORLDS)])
        BOX_PEOPLE[project % len(BOX_PEOPLE)](images, rng)
        file = images.finish()
        accepting += file is not None
        broken += file is not None and images.breaks(file)
    assert accepting > 20, "nothing accepted breaks no promise"
    assert broken / PROJECTS <= RISK + 2 * sqrt(RISK * (1 - RISK) / PROJECTS)


def test_versions_that_are_good_enough_are_accepted():
    rng, accepting = np.random.default_rng(8), 0
    for _ in range(20):
        images = simulated_boxes(rng, images=400, sample=120, rate=0.05, risk=0.05)
        BOX_PEOPLE[0](images, rng)
        file = images.finish()
        accepting += file is not None
        assert file is None or not images.breaks(file)
    assert accepting >= 18
