"""Which tasks the standard tabs list, and how others show them."""

from backend.domain.tab_titles import ListOrder, TabTitle
from backend.label_studio.tabs import TABS, of_answer, of_list
from connectors.label_studio.tasks import UNTOUCHED


def test_the_tab_of_unlabeled_tasks_lists_those_that_a_job_would_predict():
    """Skipped ones are counted apart, so that the numbers of tab and status are the same."""
    (tab,) = (one for one in TABS if one.title == TabTitle.UNLABELED)
    assert tab.filters == UNTOUCHED


def test_images_are_confirmed_on_a_wall_and_texts_in_a_table():
    wall = of_answer("Confirm: cat", "0123456789", "image")
    table = of_answer("Confirm: cat", "0123456789", "text", wall=False)
    assert (wall.grid, wall.columns) == (True, ("data.image",))
    assert (table.grid, table.columns) == (False, ("id", "predictions_score", "data.text"))
    assert (wall.filters, wall.ordering) == (table.filters, table.ordering)


def test_a_list_is_a_wall_where_it_is_asked_for():
    title, order = TabTitle.NEXT_PICKS, ListOrder.AS_GIVEN
    assert of_list(title, "list-1", order, wall=True).grid
    assert not of_list(title, "list-1", order).grid
