"""Plots and thumbnails of a report."""

import numpy as np
import pytest
from PIL import Image

from backend import plots, thumbnails
from backend.domain import ImageRef, TaskId
from backend.errors import UnreadableImage
from tests.fakes.backend import NOW, a_version

NOTHING = np.zeros(0)


def test_every_plot_is_drawn_for_light_and_for_dark(tmp_path):
    some = np.linspace(0, 1, 50)
    cards = [a_version(), a_version("al-0002-77aa", created=NOW.replace(hour=9))]
    plots.draw(tmp_path, plots.Measured(some, some > 0.5, some, 0.8), cards)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{plot}-{theme}.svg"
        for plot in ("learning-curve", "reliability", "confidence")
        for theme in ("light", "dark")
    }
    assert all(path.read_text().count("</svg>") == 1 for path in tmp_path.iterdir())


def test_a_plot_without_figures_is_not_drawn(tmp_path):
    plots.draw(tmp_path, plots.Measured(NOTHING, NOTHING > 0, NOTHING), [a_version()])
    assert list(tmp_path.iterdir()) == []


def test_the_same_figures_give_the_same_file(tmp_path):
    some = np.linspace(0, 1, 50)
    for name in ("a", "b"):
        plots.draw(tmp_path / name, plots.Measured(some, some > 0.5, some), [])
    a, b = ((tmp_path / name / "reliability-dark.svg").read_bytes() for name in ("a", "b"))
    assert a == b


def test_calibration_bins_hold_every_image_once_and_the_surest_in_the_last():
    confidence, right = np.array([0.05, 0.05, 0.55, 1.0]), np.array([True, False, True, True])
    assert plots.calibration_bins(confidence, right) == [
        (pytest.approx(0.05), 0.5, 2),
        (pytest.approx(0.55), 1.0, 1),
        (1.0, 1.0, 1),
    ]


def test_a_thumbnail_is_small_upright_and_on_white(tmp_path):
    source, turned = tmp_path / "wide.png", Image.Exif()
    turned[0x0112] = 6
    Image.new("RGBA", (800, 200), (0, 0, 0, 0)).save(source, exif=turned)
    thumbnails.write(tmp_path / "job", [ImageRef(TaskId(7), "x")], lambda _: source)
    with Image.open(tmp_path / "job" / "task-7.jpg") as small:
        assert small.size == (80, 320)
        assert small.convert("L").getextrema()[0] > 250


def test_an_image_that_cannot_be_read_costs_its_own_thumbnail_only(tmp_path):
    good = tmp_path / "good.png"
    Image.new("RGB", (10, 10)).save(good)
    (tmp_path / "bad.png").write_bytes(b"no image")

    def fetch(ref):
        if ref.uri == "gone":
            raise UnreadableImage("gone")
        return tmp_path / ref.uri

    refs = [ImageRef(TaskId(n), uri) for n, uri in enumerate(["gone", "bad.png", "good.png"])]
    thumbnails.write(tmp_path / "job", refs, fetch)
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["task-2.jpg"]
