"""The Data Manager tabs that we make: what each lists, and in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.label_studio_tasks import where


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab; all filters must hold. `ordering` names one column, `-` before it reverses."""

    title: str
    filters: Sequence[Mapping[str, Any]]
    ordering: str = "tasks:id"
    columns: Sequence[str] = ()


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

GROUPS = Tab(
    "Groups",
    (UNLABELED, GROUPED),
    "tasks:predictions_model_versions",
    ("id", "predictions_model_versions"),
)
"""Made by a grouping. A group is a prediction that says nothing, named by its model version: the
Data Manager shows, filters and orders by that column, and nothing in it can be taken for a label.
"""
