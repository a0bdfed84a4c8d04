"""The Data Manager tabs that Autolabel makes: filters, order and columns."""

from backend.domain.tab_titles import ListOrder, TabTitle
from backend.domain.version_names import IMPORTED, TRAINED
from connectors.label_studio.filters import where
from connectors.label_studio.tabs import TASK_DATA, Tab

UNLABELED = where("total_annotations", "equal", 0)
WAITING = (UNLABELED, where("cancelled_annotations", "equal", 0))
LABELED = where("total_annotations", "greater", 0)
PREDICTED = where("predictions_model_versions", "contains", [f"{TRAINED}-", f"{IMPORTED}-"])
GROUPED = where("predictions_model_versions", "contains", ["group-"])
HARD = where("predictions_results", "contains", '"hard ')

SUREST_FIRST = "-tasks:predictions_score"
HARDEST_FIRST = "-tasks:predictions_results"
"""Results are ordered as text; they begin with the id of the first region, which the codec makes
from the hard-example coefficient, then the answer."""

_ORDERINGS = {
    ListOrder.AS_GIVEN: "tasks:predictions_model_versions",
    ListOrder.SUREST_FIRST: SUREST_FIRST,
    ListOrder.LEAST_SURE_FIRST: "tasks:predictions_score",
}
"""Model versions are ordered as text; those of markers end in the place of the task."""

OF_PREDICTIONS = ("id", "predictions_score", "predictions_results", "predictions_model_versions")

OF_LISTED = ("id", "total_annotations", "annotations_results", "predictions_results")

TABS = (
    Tab(TabTitle.TO_BE_CONFIRMED, (UNLABELED, PREDICTED), HARDEST_FIRST, OF_PREDICTIONS),
    Tab(TabTitle.HARD_EXAMPLES, (UNLABELED, PREDICTED, HARD), HARDEST_FIRST, OF_PREDICTIONS),
    Tab(TabTitle.LABELED, (LABELED,)),
    Tab(TabTitle.UNLABELED, WAITING),
)
"""In the order of the tab bar."""


def of_groups(data_key: str) -> Tab:
    """Return the tab of a grouping, with the images of the tasks.

    A group is an empty prediction whose model version names the group: the Data Manager shows,
    filters and orders by that column, and nothing in it can be mistaken for a label.
    """
    columns = ("id", "predictions_model_versions", f"data.{data_key}")
    return Tab(TabTitle.GROUPS, (UNLABELED, GROUPED), "tasks:predictions_model_versions", columns)


def of_answer(title: str, key: str, data_key: str, *, wall: bool = True) -> Tab:
    """Return a wall of the unlabeled images with this predicted answer, the surest first.

    A wall shows images; where tasks have texts, the tab is a table with the text and the score.

    `key` is what `codec.answer_key` puts into the ids of such predictions. It stands for one
    version, all controls and all labels, so one filter finds exactly these tasks, in SQLite, whose
    comparison of text ignores case, and in PostgreSQL, which stores JSON in another spelling.
    """
    answered = where("predictions_results", "contains", f"-{key}-")
    shown = f"data.{data_key}"
    columns = (shown,) if wall else ("id", "predictions_score", shown)
    return Tab(title, (*WAITING, answered), SUREST_FIRST, columns, grid=wall)


def of_list(title: str, edition: str, order: ListOrder, *, wall: bool = False) -> Tab:
    """Return the tab of a list of chosen tasks, each of which has a marker of this edition.

    A wall shows the data of the tasks and nothing else; they leave it once labeled.
    """
    marked = where("predictions_model_versions", "contains", [edition])
    if wall:
        return Tab(title, (*WAITING, marked), _ORDERINGS[order], (TASK_DATA,), grid=True)
    return Tab(title, (marked,), _ORDERINGS[order], OF_LISTED)
