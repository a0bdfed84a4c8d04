"""The plots of a report, each for light and for dark pages, drawn with matplotlib.

Drawn by the worker into the job's folder; the web process only hands the files out.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from backend.domain import ModelVersion
from backend.ports import Floats

BINS = 10
FINE_BINS = 20
QUALITY = ("accuracy", "map50")
"""Metrics that a learning curve may show, the first that the versions have."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the plots show.

    `confidence` (n,) and `right` (n,) bool are of held-out images; `scores` (m,) of the
    predicted ones; `threshold` is the certified one, None without a certificate.
    """

    confidence: Floats
    right: NDArray[np.bool_]
    scores: Floats
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Theme:
    """Colors that go with those of the page."""

    name: str
    ink: str
    quiet: str
    line: str
    accent: str
    second: str


THEMES = (
    Theme("light", "#14211f", "#50625e", "#d3dedb", "#0f766e", "#c2590c"),
    Theme("dark", "#e6efed", "#9fb5b0", "#2b3a37", "#5eead4", "#f0954f"),
)


def draw(folder: Path, measured: Measured, versions: Sequence[ModelVersion]) -> None:
    """Write `<plot>-<theme>.svg` for every plot that there are figures for."""
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        with _dressed(theme):
            for name, figure in _figures(measured, versions, theme):
                figure.savefig(folder / f"{name}-{theme.name}.svg", metadata={"Date": None})


def calibration_bins(
    confidence: Floats, right: NDArray[np.bool_]
) -> list[tuple[float, float, int]]:
    """Mean confidence, share right and size of each non-empty bin of equal width."""
    place = np.minimum((np.asarray(confidence) * BINS).astype(int), BINS - 1)
    inside = [place == number for number in range(BINS)]
    return [
        (float(confidence[here].mean()), float(right[here].mean()), int(here.sum()))
        for here in inside
        if here.any()
    ]


def _figures(
    measured: Measured, versions: Sequence[ModelVersion], theme: Theme
) -> Iterator[tuple[str, Any]]:
    curve = _curve(versions)
    if len(curve) > 1:
        yield "learning-curve", _learning_curve(curve, theme)
    if len(measured.confidence):
        bins = calibration_bins(measured.confidence, measured.right)
        yield "reliability", _reliability(bins, theme)
    if len(measured.scores):
        yield "confidence", _confidence(measured.scores, measured.threshold, theme)


def _curve(versions: Sequence[ModelVersion]) -> list[tuple[int, float]]:
    """(images learned from, quality) of the versions, oldest first."""
    return [
        (version.trained_on.get("images", 0), version.metrics[name])
        for version in sorted(versions, key=lambda version: version.created)
        for name in QUALITY
        if name in version.metrics
    ]


def _learning_curve(curve: Sequence[tuple[int, float]], theme: Theme) -> Figure:
    figure, axes = _blank("Learning curve", "images learned from", "quality on held-out images")
    images, quality = zip(*curve, strict=True)
    axes.plot(images, quality, "o-", color=theme.accent, linewidth=2, markersize=6)
    axes.annotate(
        f"{quality[-1]:.1%}",
        (images[-1], quality[-1]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
    )
    axes.set_ylim(max(0, min(quality) - 0.1), min(1.05, max(quality) + 0.1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _reliability(bins: Sequence[tuple[float, float, int]], theme: Theme) -> Figure:
    figure, axes = _blank("Reliability", "stated confidence", "share that was right")
    most = max(size for _, _, size in bins)
    axes.plot([0, 1], [0, 1], "--", color=theme.quiet, linewidth=1.2, label="perfectly honest")
    axes.scatter(
        [confidence for confidence, _, _ in bins],
        [right for _, right, _ in bins],
        s=[30 + 170 * size / most for _, _, size in bins],
        color=theme.accent,
        alpha=0.85,
        label="held-out images (area: how many)",
        zorder=3,
    )
    axes.set_xlim(0, 1.03)
    axes.set_ylim(0, 1.06)
    axes.legend(loc="upper left", frameon=False)
    return figure


def _confidence(scores: Floats, threshold: float | None, theme: Theme) -> Figure:
    figure, axes = _blank("Confidence of the predictions", "confidence", "images")
    axes.hist(np.asarray(scores, float), np.linspace(0, 1, FINE_BINS + 1), color=theme.accent)
    if threshold is not None:
        axes.axvline(
            threshold, color=theme.second, linewidth=2, label=f"certified: {threshold:.2f}"
        )
        axes.legend(loc="upper left", frameon=False)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _blank(title: str, x: str, y: str) -> tuple[Figure, Any]:
    """A figure and its axes; `Any`, for matplotlib types its keyword arguments half."""
    figure = Figure(figsize=(4.4, 3.0), layout="constrained")
    axes: Any = figure.add_subplot()
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


@contextmanager
def _dressed(theme: Theme) -> Generator[None]:
    colors = {"text.color": theme.ink, "axes.edgecolor": theme.quiet, "grid.color": theme.line}
    labels = dict.fromkeys(("axes.labelcolor", "xtick.color", "ytick.color"), theme.quiet)
    plain: dict[str, Any] = {
        "font.size": 9.5,
        "axes.grid": True,
        "axes.axisbelow": True,
        "savefig.transparent": True,
        "svg.hashsalt": "autolabel",
    }
    with cast(Any, matplotlib).rc_context({**colors, **labels, **plain}):
        yield
