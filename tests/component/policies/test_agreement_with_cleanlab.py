"""Our label issues are at least as right and as complete as cleanlab's."""

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_self_confidence_for_each_label

from backend.policies.label_issues import WORTH_A_LOOK
from backend.policies.label_noise import exclusive
from tests.fakes.noisy_labels import noisy


@pytest.mark.parametrize("rule", ["confident_learning", "prune_by_noise_rate"])
def test_more_wrong_labels_are_found_than_by_cleanlab(rule):
    table, given = noisy(seed=1)
    theirs = find_label_issues(given, table, filter_by=rule, n_jobs=1)
    ours = exclusive(table, given) >= WORTH_A_LOOK
    assert ours[:60].sum() >= theirs[:60].sum()
    assert ours[:60].sum() / ours.sum() > 0.95


def test_the_order_is_that_of_the_self_confidence():
    table, given = noisy(seed=1)
    self_confidence = get_self_confidence_for_each_label(given, table)
    ranks = (self_confidence.argsort().argsort(), (-exclusive(table, given)).argsort().argsort())
    assert np.corrcoef(ranks)[0, 1] > 0.99
