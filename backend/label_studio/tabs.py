"""The Data Manager tabs that we make: what each lists, and in which order."""

from collections.abc import Sequence

from backend.domain.ids import TaskId
from connectors.label_studio.tabs import Tab
from connectors.label_studio.tasks import where

LISTABLE = 300
"""Tasks in a tab that lists single ones. Label Studio's own `in_list` would do in one filter, but
its Data Manager does not open any more with a tab that has one."""

UNLABELED = where("total_annotations", "equal", 0)
LABELED = where("total_annotations", "greater", 0)
PREDICTED = where("predictions_model_versions", "contains", ["al-"])
GROUPED = where("predictions_model_versions", "contains", ["group-"])
HARD = where("predictions_results", "contains", '"hard ')

LOWEST_SCORE_FIRST = "tasks:predictions_score"
HARDEST_FIRST = "-tasks:predictions_results"
"""The results are ordered as text, and begin with the id that the codec gives the first region."""

OF_PREDICTIONS = ("id", "predictions_score", "predictions_results", "predictions_model_versions")

OF_LISTED = ("id", "total_annotations", "annotations_results", "predictions_results")

TABS = (
    Tab("To be confirmed", (UNLABELED, PREDICTED), LOWEST_SCORE_FIRST, OF_PREDICTIONS),
    Tab("Hard examples", (UNLABELED, PREDICTED, HARD), HARDEST_FIRST, OF_PREDICTIONS),
    Tab("Labeled", (LABELED,)),
    Tab("Unlabeled", (UNLABELED,)),
)
"""In the order in which they appear."""


def of_groups(data_key: str) -> Tab:
    """The tab of a grouping, with the images of the tasks.

    A group is a prediction that says nothing, named by its model version: the Data Manager shows,
    filters and orders by that column, and nothing in it can be taken for a label.
    """
    columns = ("id", "predictions_model_versions", f"data.{data_key}")
    return Tab("Groups", (UNLABELED, GROUPED), "tasks:predictions_model_versions", columns)


def of_tasks(title: str, tasks: Sequence[TaskId]) -> Tab:
    """A tab of single tasks, at most `LISTABLE` of them."""
    one_by_one = [where("id", "equal", int(task)) for task in tasks[:LISTABLE]]
    return Tab(title, one_by_one, columns=OF_LISTED, conjunction="or")
