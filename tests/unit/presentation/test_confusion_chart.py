"""The confusion matrix of a report."""

from backend.presentation.confusion_chart import (
    CELL,
    LEFT,
    MARGIN,
    MOST_SHOWN,
    NOTHING,
    TOP,
    confusion_charts,
)


def report(matrix, labels=("cat", "dog"), counted="images", **others):
    about = {"confusion": matrix, "per_label": [{"label": one, counted: 5} for one in labels]}
    return {"notes": {"pets": about, **others}}


def test_truth_is_by_row_and_shares_are_those_of_the_row():
    (chart,) = confusion_charts(report([[3, 1], [0, 4]]))
    assert (chart.labels, chart.right, chart.total, chart.unit) == (["cat", "dog"], 7, 8, "images")
    missed = chart.cells[1]
    assert (missed.true, missed.predicted, missed.count, missed.share) == ("cat", "dog", 1, 0.25)
    assert (missed.x, missed.y) == (LEFT + CELL, TOP)
    assert [cell.is_right for cell in chart.cells] == [True, False, False, True]
    assert [(cell.true, cell.predicted) for cell in chart.mistakes] == [("cat", "dog")]
    assert chart.control == ""
    assert chart.rows == [(TOP + CELL // 2, "cat"), (TOP + CELL + CELL // 2, "dog")]
    assert chart.columns == [(LEFT + CELL // 2, "cat"), (LEFT + CELL + CELL // 2, "dog")]
    assert (chart.width, chart.height) == (LEFT + 2 * CELL + MARGIN, TOP + 2 * CELL + 8)


def test_boxes_and_multiple_choice_have_a_place_for_none():
    (chart,) = confusion_charts(report([[3, 1, 2], [0, 4, 0], [1, 0, 0]], counted="boxes"))
    assert chart.labels == ["cat", "dog", NOTHING]
    assert chart.unit == "boxes"
    assert [(one.true, one.predicted, one.count) for one in chart.mistakes] == [
        ("cat", "", 2),
        ("cat", "dog", 1),
        ("", "cat", 1),
    ]


def test_of_many_labels_those_with_most_mistakes_are_shown():
    size = MOST_SHOWN + 3
    matrix = [[10 if row == column else 0 for column in range(size)] for row in range(size)]
    matrix[size - 1][0] = 2
    (chart,) = confusion_charts(report(matrix, [f"label {at}" for at in range(size)]))
    assert len(chart.labels) == MOST_SHOWN
    assert {"label 0", f"label {size - 1}"} <= set(chart.labels)
    assert chart.left_out == 3
    assert chart.total == 10 * size + 2


def test_a_long_label_is_cut():
    (chart,) = confusion_charts(report([[1, 0], [1, 1]], ["a" * 40, "b"]))
    assert chart.rows[0][1] == "a" * 15 + "…"
    assert chart.mistakes[0].predicted == "a" * 40


def test_controls_are_named_where_there_are_several():
    other = {"per_label": []}
    assert confusion_charts(report([[1, 0], [0, 1]], tails=other))[0].control == "pets"


def test_reports_without_a_matrix_have_no_chart():
    assert confusion_charts({}) == []
    assert confusion_charts({"notes": {"pets": {"per_label": [{"label": "cat"}]}}}) == []
    assert confusion_charts(report([[1]])) == [], "of other labels"
    assert confusion_charts(report([[0, 0], [0, 0]])) == []
