"""Precision of the surest answers."""

import numpy as np
import pytest

from backend.models.precision_coverage import MOST_POINTS, CoveragePoint, precision_coverage


def test_the_surest_come_first_and_equal_confidences_share_a_point():
    confidence = np.array([0.5, 0.9, 0.5, 0.7])
    right = np.array([False, True, True, True])
    assert precision_coverage(confidence, right) == (
        CoveragePoint(0.25, 1.0, 0.9),
        CoveragePoint(0.5, 1.0, 0.7),
        CoveragePoint(1.0, 0.75, 0.5),
    )


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    confidence = np.linspace(1, 0, 1000)
    points = precision_coverage(confidence, np.ones(1000, dtype=bool))
    assert len(points) == MOST_POINTS
    assert (points[0].coverage, points[-1].coverage) == (0.001, 1.0)


def test_nothing_to_measure_is_no_curve():
    assert precision_coverage(np.zeros(0), np.zeros(0, dtype=bool)) == ()


def test_the_last_point_is_the_accuracy():
    rng = np.random.default_rng(0)
    right = rng.random(50) < 0.7
    assert precision_coverage(rng.random(50), right)[-1].precision == pytest.approx(right.mean())
