"""Titles and orders of the Data Manager tabs that Autolabel makes."""

from collections.abc import Iterable
from enum import Enum, StrEnum, auto

from backend.domain.ids import Label


class TabTitle(StrEnum):
    """A tab is found again by its mark and title; one that somebody renamed is left alone."""

    TO_BE_CONFIRMED = "To be confirmed"
    HARD_EXAMPLES = "Hard examples"
    HARD_AND_EMPTY = "Hard examples (nothing found)"
    """For predictions without a region, which have no place for the reasons that HARD_EXAMPLES
    looks for."""
    LABELED = "Labeled"
    UNLABELED = "Unlabeled"
    GROUPS = "Groups"
    AUDIT = "Audit"
    NEXT_PICKS = "Label next"
    LABEL_ISSUES = "Check these labels"


WALL = "Confirm: "
"""Begins the title of a tab with the images of one predicted answer."""


def wall_title(labels: Iterable[Label]) -> str:
    """Return the title of the tab with the images of this answer, such as `Confirm: cat`."""
    return WALL + ", ".join(labels)


class ListOrder(Enum):
    """How a tab of chosen tasks is ordered.

    As given: tasks of a list of more than a hundred share places with their neighbors.
    """

    AS_GIVEN = auto()
    SUREST_FIRST = auto()
    LEAST_SURE_FIRST = auto()
