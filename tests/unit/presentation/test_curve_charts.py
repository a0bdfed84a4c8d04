"""The curves of a report, in pixels and in words."""

import pytest

from backend.presentation.curve_charts import BOTTOM, LEFT, RIGHT, TOP, curve_charts

POINTS = [
    {"coverage": 0.5, "precision": 1.0, "threshold": 0.9},
    {"coverage": 1.0, "precision": 0.8, "threshold": 0.4},
]
CERTIFICATE = {"accepted": 60, "region": 100, "allowed": 3, "threshold": 0.8}


def coverage(points=POINTS, counted="images", **others):
    about = {
        "coverage": points,
        "per_label": [{"label": "cat", counted: 5}],
        "metrics_from": "out-of-fold",
    }
    return {"notes": {"pets": about}, **others}


def learning(points, ahead=(), metric="accuracy", control="pets"):
    curve = {"control": control, "metric": metric, "points": points, "ahead": list(ahead)}
    return {"learning_curves": [curve]}


def test_the_surest_are_on_the_left_and_the_axis_begins_below_the_lowest_point():
    (chart,) = curve_charts(coverage())
    middle = (LEFT + RIGHT) / 2
    assert chart.line == f"{middle:.1f},{TOP:.1f} {RIGHT:.1f},{(TOP + 2 * BOTTOM) / 3:.1f}"
    assert [text for _, text in chart.ticks_y] == ["70%", "77.5%", "85%", "92.5%", "100%"]
    assert [text for _, text in chart.ticks_x] == ["0%", "25%", "50%", "75%", "100%"]
    assert "measured on out-of-fold images" in chart.description
    assert "Of the surest 50%, 100.0% are right; of all, 80.0%." in chart.description
    assert chart.rows == [
        ("50%", "100.0%", "0.90"),
        ("50%", "100.0%", "0.90"),
        ("100%", "80.0%", "0.40"),
        ("100%", "80.0%", "0.40"),
        ("100%", "80.0%", "0.40"),
    ]
    assert chart.marked is None


@pytest.mark.parametrize("own", [True, False])
def test_what_is_certified_stands_out(own):
    report = coverage(certificate=CERTIFICATE if own else None)
    (chart,) = curve_charts(report, None if own else CERTIFICATE)
    assert chart.marked.text == "certified: 60% accepted, at least 95.0% right"
    assert chart.marked.x == pytest.approx(LEFT + 0.6 * (RIGHT - LEFT))
    assert TOP < chart.marked.y < BOTTOM


def test_boxes_are_named_and_have_no_certified_point_since_images_are_certified():
    (chart,) = curve_charts(coverage(counted="boxes"), CERTIFICATE)
    assert chart.title == "Precision of the surest boxes"
    assert chart.marked is None


def test_a_curve_at_zero_and_a_certificate_of_nothing_do_not_break_it():
    nothing = [{"coverage": 1.0, "precision": 0.0, "threshold": 0.1}]
    empty = {"accepted": 0, "region": 0, "allowed": 0}
    (chart,) = curve_charts(coverage(nothing, certificate=empty))
    assert chart.ticks_y[0][1] == "0%"


def test_the_learning_curve_goes_on_as_a_forecast():
    points = [{"images": 20, "score": 0.6}, {"images": 40, "score": 0.7}]
    (chart,) = curve_charts(learning(points, [{"images": 80, "score": 0.79}]))
    assert chart.title == "Learning curve"
    assert chart.line.count(",") == 2
    assert chart.dashes.split()[0] == chart.line.split()[-1]
    assert [text for _, text in chart.ticks_x] == ["0", "20", "40", "60", "80"]
    assert "after 2 trainings: 70.0% with 40 labeled images" in chart.description
    assert "If errors go on falling, 79.0% with 80 labeled images." in chart.description
    assert [row[2] for row in chart.rows] == ["measured", "measured", "forecast"]
    assert [dot.text for dot in chart.dots] == ["60.0%", "70.0%"]


def test_a_first_training_is_one_point_and_a_perfect_one_has_an_axis():
    (chart,) = curve_charts(learning([{"images": 20, "score": 1.0}]))
    assert "after one training" in chart.description
    assert chart.dashes == ""
    assert chart.ticks_y[-1] == (TOP, "100%")
    (zero,) = curve_charts(learning([{"images": 0, "score": 0.0}]))
    assert zero.ticks_y[0] == (BOTTOM, "0%")


def test_several_controls_are_told_apart():
    report = coverage()
    report["notes"]["tails"] = {**report["notes"]["pets"]}
    one = learning([{"images": 20, "score": 0.6}])["learning_curves"]
    report["learning_curves"] = [*one, {**one[0], "control": "tails"}]
    titles = [chart.title for chart in curve_charts(report)]
    assert titles == [
        "Precision of the surest images of pets",
        "Precision of the surest images of tails",
        "Learning curve of pets",
        "Learning curve of tails",
    ]


def test_reports_without_figures_have_no_curves():
    assert curve_charts({}) == []
    assert curve_charts({"notes": {"pets": {"reliability": []}}, "learning_curves": []}) == []
