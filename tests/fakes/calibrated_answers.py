"""Answers of a simulated model, with scores that are calibrated or not."""

from backend.policies.certification.acceptance_test import Validation


def evidence(rng, sample, pool, wrong=lambda confidence: 1 - confidence):
    """Calibrated by default: an answer of confidence c is wrong with chance 1 - c."""
    confidence = rng.beta(3, 0.4, sample + pool)
    right = rng.random(sample + pool) >= wrong(confidence)
    return Validation(confidence[:sample], right[:sample], confidence[sample:]), right[sample:]
