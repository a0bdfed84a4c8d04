"""Plots and thumbnails of a report."""

import re
from dataclasses import replace

import matplotlib

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.domain.ids import TaskId
from backend.presentation import plots
from backend.presentation.report_images import write_thumbnails
from tests.fakes.domain import NOW, a_version

BINS = [(0.3, 0.2, 10), (0.9, 1.0, 40)]
SOME = plots.Measured({"c": BINS}, histogram=[0, 3, 7, 20], thresholds={"": 0.8})
CARDS = [a_version(), a_version("al-0002-77aa", created=NOW.replace(hour=9))]


def test_every_plot_is_drawn_for_light_and_for_dark(tmp_path):
    plots.draw(tmp_path, SOME, CARDS)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{plot}-{theme}.svg"
        for plot in ("learning-curve", "reliability", "confidence")
        for theme in ("light", "dark")
    }
    assert all(path.read_text().count("</svg>") == 1 for path in tmp_path.iterdir())


def test_each_theme_has_its_own_colors_and_nothing_else_differs(tmp_path):
    plots.draw(tmp_path, SOME, CARDS)
    light, dark = plots.THEMES
    for plot in ("learning-curve", "reliability", "confidence"):
        bright, gloomy = (
            (tmp_path / f"{plot}-{theme.name}.svg").read_text() for theme in plots.THEMES
        )
        used = set(re.findall("#[0-9a-f]{6}", bright))
        assert len(used.intersection(light.colors)) >= 4
        assert not set(re.findall("#[0-9a-f]{6}", gloomy)).intersection(light.colors)
        for one, other in zip(dark.colors, light.colors, strict=True):
            gloomy = gloomy.replace(one, other)
        assert gloomy == bright


def test_a_plot_without_figures_is_not_drawn(tmp_path):
    plots.draw(tmp_path, plots.Measured(histogram=[0, 0]), [a_version()])
    assert list(tmp_path.iterdir()) == []


def test_the_same_figures_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        plots.draw(tmp_path / name, SOME, [])
    a, b = ((tmp_path / name / "reliability-dark.svg").read_bytes() for name in ("a", "b"))
    assert a == b


def test_a_learning_curve_is_drawn_for_each_of_several_controls(tmp_path):
    metrics = {"kind": {"accuracy": 0.7, "ece": 0.1}, "parts": {"map50": 0.4, "accuracy": 0.2}}
    plots.draw(tmp_path, plots.Measured(), [replace(card, metrics=metrics) for card in CARDS])
    assert {path.name for path in tmp_path.iterdir()} == {
        "learning-curve-light.svg",
        "learning-curve-dark.svg",
    }


def test_what_is_plotted_is_read_from_the_report():
    point = {"low": 0.0, "high": 0.5, "confidence": 0.4, "accuracy": 0.3, "count": 6}
    report = {
        "notes": {"kind": {"reliability": [point]}, "parts": {}},
        "metrics_from": "out-of-fold",
        "confidence_histogram": [1, 2],
        "certificate": {"threshold": 0.9},
    }
    assert plots.measured(report) == plots.Measured(
        {"kind": [(0.4, 0.3, 6)]}, "out-of-fold", [1, 2], {"": 0.9}
    )


def legend(tmp_path, measured, plot):
    """What the legend of a plot says; without letters as paths, an SVG has it as text."""
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        plots.draw(tmp_path, measured, [])
    return re.findall(r">([^<>\n]+)</text>", (tmp_path / f"{plot}-light.svg").read_text())


def test_thresholds_of_labels_are_named_and_many_are_counted(tmp_path):
    thresholds = {f"label {number}": 0.5 + number / 20 for number in range(8)}
    texts = legend(tmp_path, plots.Measured(histogram=[1, 2], thresholds=thresholds), "confidence")
    assert "certified label 0: 0.50" in texts
    assert "and 2 more" in texts


def test_the_reliability_of_several_controls_is_plotted_separately(tmp_path):
    measured = plots.Measured({"kind": BINS, "parts": BINS})
    texts = legend(tmp_path, measured, "reliability")
    assert "held-out images (area: count)" in texts
    assert texts[-2:] == ["kind", "parts"]


def test_an_image_that_cannot_be_read_costs_its_own_thumbnail_only(tmp_path):
    def write_preview(ref, target):
        if ref.uri == "gone":
            raise UnreadableImage("gone")
        target.write_bytes(b"a preview")

    refs = [ImageRef(TaskId(n), uri) for n, uri in enumerate(["gone", "good.png"])]
    write_thumbnails(tmp_path / "job", refs, write_preview)
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["task-1.jpg"]
