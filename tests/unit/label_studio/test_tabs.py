"""Which tasks the standard tabs list."""

from backend.domain.tab_titles import TabTitle
from backend.label_studio.tabs import TABS
from connectors.label_studio.tasks import UNTOUCHED


def test_the_tab_of_unlabeled_tasks_lists_those_that_a_job_would_predict():
    """Skipped ones are counted apart, so that the numbers of tab and status are the same."""
    (tab,) = (one for one in TABS if one.title == TabTitle.UNLABELED)
    assert tab.filters == UNTOUCHED
