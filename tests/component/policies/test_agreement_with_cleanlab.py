"""Our label issues are those of cleanlab."""

import numpy as np
from cleanlab.filter import find_label_issues

from backend.policies.label_issues import confident_other
from tests.fakes.noisy_labels import noisy


def test_the_issues_are_those_of_cleanlab():
    table, given = noisy(seed=1)
    theirs = find_label_issues(given, table, filter_by="confident_learning", n_jobs=1)
    ours = confident_other(given, table) >= 0
    assert np.mean(ours == theirs) > 0.99
