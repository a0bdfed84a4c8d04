"""The confusion matrix of a report: which labels are taken for which others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from backend.domain.json import Json

MOST_SHOWN = 12
"""Labels of a matrix; those with most mistakes."""

MISTAKES_LISTED = 20
CELL, LEFT, TOP, MARGIN = 40, 132, 92, 64
"""Pixels: side of a cell, room for the true labels, for the predicted ones, and for their ends."""

LONGEST = 16
NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """`count` of one true label that got one predicted label; `share` of the row, in [0, 1].

    `x` and `y` are the top left corner. `predicted` is empty where nothing was.
    """

    true: str
    predicted: str
    count: int
    share: float
    x: int
    y: int
    is_right: bool


@dataclass(frozen=True, slots=True)
class ConfusionChart:
    """A matrix, true labels by row; `mistakes` lists the most frequent ones, for a table.

    `unit` is what is counted, `left_out` the labels that are not shown.
    """

    control: str
    unit: str
    labels: Sequence[str]
    cells: Sequence[ConfusionCell]
    mistakes: Sequence[ConfusionCell]
    left_out: int
    right: int
    total: int

    @property
    def width(self) -> int:
        return LEFT + CELL * len(self.labels) + MARGIN

    @property
    def height(self) -> int:
        return TOP + CELL * len(self.labels) + 8

    @property
    def rows(self) -> Sequence[tuple[int, str]]:
        """Return where each label of a row is written, and the label."""
        return [
            (TOP + CELL * place + CELL // 2, _short(name)) for place, name in enumerate(self.labels)
        ]

    @property
    def columns(self) -> Sequence[tuple[int, str]]:
        """Return where each label of a column is written, and the label."""
        return [
            (LEFT + CELL * place + CELL // 2, _short(name))
            for place, name in enumerate(self.labels)
        ]


def confusion_charts(report: Json) -> list[ConfusionChart]:
    """Return the matrix of each control whose training counted one, with at least one mistake."""
    notes = cast("dict[str, Json]", report.get("notes") or {})
    several = len(notes) > 1
    items = str(report.get("items", "images"))
    found = (_chart(control if several else "", about, items) for control, about in notes.items())
    return [chart for chart in found if chart]


def _chart(control: str, about: Json, items: str) -> ConfusionChart | None:
    matrix = cast("list[list[int]]", about.get("confusion") or [])
    rows = cast("list[Json]", about.get("per_label") or [])
    names = [str(row["label"]) for row in rows]
    if not names or len(matrix) not in {len(names), len(names) + 1}:
        return None
    names += [""] * (len(matrix) - len(names))
    total = sum(map(sum, matrix))
    right = sum(matrix[at][at] for at in range(len(matrix)))
    if not total:
        return None
    shown = _most_confused(matrix, names)
    wrong = [
        _cell(matrix, names, true, predicted)
        for true in range(len(names))
        for predicted in range(len(names))
        if true != predicted and matrix[true][predicted]
    ]
    return ConfusionChart(
        control=control,
        unit="boxes" if rows and "boxes" in rows[0] else items,
        labels=[names[at] or NOTHING for at in shown],
        cells=[
            _cell(matrix, names, true, predicted, x, y)
            for y, true in enumerate(shown)
            for x, predicted in enumerate(shown)
        ],
        mistakes=sorted(wrong, key=lambda cell: -cell.count)[:MISTAKES_LISTED],
        left_out=len(names) - len(shown),
        right=right,
        total=total,
    )


def _cell(
    matrix: Sequence[Sequence[int]],
    names: Sequence[str],
    true: int,
    predicted: int,
    x: int = 0,
    y: int = 0,
) -> ConfusionCell:
    count = matrix[true][predicted]
    return ConfusionCell(
        true=names[true],
        predicted=names[predicted],
        count=count,
        share=count / max(1, sum(matrix[true])),
        x=LEFT + CELL * x,
        y=TOP + CELL * y,
        is_right=true == predicted,
    )


def _most_confused(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> list[int]:
    """Return the places of the labels to show, in their order; the place for none is last."""
    mistakes = [
        sum(matrix[at]) + sum(row[at] for row in matrix) - 2 * matrix[at][at]
        for at in range(len(names))
    ]
    most = sorted(range(len(names)), key=lambda at: (names[at] != "", -mistakes[at]))
    return sorted(most[:MOST_SHOWN])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
