"""The Data Manager tabs that Autolabel makes: filters, order and columns."""

from collections.abc import Sequence

from backend.domain.ids import TaskId
from backend.domain.tab_titles import TabTitle
from connectors.label_studio.tabs import Tab
from connectors.label_studio.tasks import where

LISTABLE = 300
"""Most tasks in a tab that lists single ones, one filter each. Label Studio's `in_list` needs only
one filter, but its Data Manager does not open a tab that has one."""

UNLABELED = where("total_annotations", "equal", 0)
WAITING = (UNLABELED, where("cancelled_annotations", "equal", 0))
LABELED = where("total_annotations", "greater", 0)
PREDICTED = where("predictions_model_versions", "contains", ["al-"])
GROUPED = where("predictions_model_versions", "contains", ["group-"])
HARD = where("predictions_results", "contains", '"hard ')

SUREST_FIRST = "-tasks:predictions_score"
HARDEST_FIRST = "-tasks:predictions_results"
"""Results are ordered as text; they begin with the id of the first region, which the codec makes
from the hard-example coefficient, then the answer."""

OF_PREDICTIONS = ("id", "predictions_score", "predictions_results", "predictions_model_versions")

OF_LISTED = ("id", "total_annotations", "annotations_results", "predictions_results")

TABS = (
    Tab(TabTitle.TO_BE_CONFIRMED, (UNLABELED, PREDICTED), HARDEST_FIRST, OF_PREDICTIONS),
    Tab(TabTitle.HARD_EXAMPLES, (UNLABELED, PREDICTED, HARD), HARDEST_FIRST, OF_PREDICTIONS),
    Tab(TabTitle.LABELED, (LABELED,)),
    Tab(TabTitle.UNLABELED, (UNLABELED,)),
)
"""In the order of the tab bar."""


def of_groups(data_key: str) -> Tab:
    """Return the tab of a grouping, with the images of the tasks.

    A group is an empty prediction whose model version names the group: the Data Manager shows,
    filters and orders by that column, and nothing in it can be mistaken for a label.
    """
    columns = ("id", "predictions_model_versions", f"data.{data_key}")
    return Tab(TabTitle.GROUPS, (UNLABELED, GROUPED), "tasks:predictions_model_versions", columns)


def of_answer(title: str, key: str, data_key: str) -> Tab:
    """Return a wall of the unlabeled images with this predicted answer, the surest first.

    `key` is what `codec.answer_key` puts into the ids of such predictions. It stands for one
    version, all controls and all labels, so one filter finds exactly these tasks, in SQLite, whose
    comparison of text ignores case, and in PostgreSQL, which stores JSON in another spelling.
    """
    answered = where("predictions_results", "contains", f"-{key}-")
    columns = (f"data.{data_key}",)
    return Tab(title, (*WAITING, answered), SUREST_FIRST, columns, grid=True)


def of_tasks(title: str, tasks: Sequence[TaskId]) -> Tab:
    """Return a tab that lists single tasks, at most `LISTABLE` of them."""
    one_by_one = [where("id", "equal", int(task)) for task in tasks[:LISTABLE]]
    return Tab(title, one_by_one, columns=OF_LISTED, conjunction="or")
