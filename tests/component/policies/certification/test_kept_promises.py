"""Simulate many projects: how often does a certificate promise too much?"""

import math
from dataclasses import replace

import numpy as np
import pytest

from backend.policies.certification.acceptance_test import Validation
from backend.policies.certification.certificates import (
    Terms,
    certify,
)
from tests.fakes.calibrated_answers import evidence


def breaks(found, right, terms):
    certificate = certify(found, terms)
    if certificate is None:
        return False
    return np.mean(~right[found.pool >= certificate.threshold]) > terms.max_error


def test_the_promise_is_kept_on_small_pools_too():
    # given many projects with 300 validation and 700 open images, each with calibrated scores
    rng = np.random.default_rng(0)
    broken, accepted = 0, 0
    terms = Terms(max_error=0.1, confidence=0.8)
    for _ in range(250):
        found, right = evidence(rng, 300, 700)
        certificate = certify(found, terms)
        if certificate:
            chosen = found.pool >= certificate.threshold
            accepted += chosen.mean()
            broken += np.mean(~right[chosen]) > terms.max_error
    # then the share of broken promises is within what the first attempt may spend (15 %)
    assert broken / 250 <= terms.risk + 2 * math.sqrt(terms.risk * (1 - terms.risk) / 250)
    assert accepted / 250 > 0.3


@pytest.mark.parametrize("confirmed", [0.5, 0.7])
def test_the_promise_is_kept_when_people_confirm_what_is_right_and_leave_what_is_wrong(confirmed):
    rng = np.random.default_rng(1)
    broken, ignored = 0, 0
    terms = Terms(max_error=0.1, confidence=0.8)
    for _ in range(150):
        found, right = evidence(rng, 300, 1500)
        gone = right & (rng.random(len(right)) < confirmed)
        left = Validation(found.confidence, found.right, found.pool[~gone])
        told = replace(left, labeled_since=found.pool[gone])
        ignored += breaks(left, right[~gone], terms)
        broken += breaks(told, right[~gone], terms)
    assert broken / 150 <= terms.risk + 2 * math.sqrt(terms.risk * (1 - terms.risk) / 150)
    assert ignored > broken, "otherwise this tests nothing"
