"""Plots of a report, each for light and for dark pages, drawn with matplotlib.

The worker draws them into the job's folder; the web process only serves the files.
"""

import io
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from backend.domain.metrics import headline
from backend.domain.versions import ModelVersion

QUALITY = {"map50": "mAP at IoU 0.5", "accuracy": "accuracy"}
"""How a legend names the metrics of `domain.metrics.HEADLINES`."""

MARKERS = ("o", "s", "^")
DASHES = ("-", "--", ":", "-.")
"""Together with the colors, these distinguish the series of a plot."""

MOST_NAMED = 6
"""Largest number of thresholds to name in a legend."""

Points = Sequence[tuple[float, float, int]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Data of the plots.

    `reliability` has (mean confidence, accuracy, images) per bin for each control, measured on
    `source` items, which are images or texts; `histogram` counts predictions in bins of equal width
    over [0, 1]; `thresholds` are the certified thresholds by label; '' stands for all labels.
    """

    reliability: Mapping[str, Points] = field(default_factory=dict[str, Points])
    source: str = "held-out"
    histogram: Sequence[int] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    items: str = "images"


@dataclass(frozen=True, slots=True)
class Theme:
    """Colors of the page, in its light or dark mode."""

    name: str
    ink: str
    quiet: str
    line: str
    accent: str
    second: str

    @property
    def colors(self) -> tuple[str, ...]:
        """Return all colors, different ones, as they appear in an SVG file."""
        return self.ink, self.quiet, self.line, self.accent, self.second


THEMES = (
    Theme("light", "#14211f", "#50625e", "#d3dedb", "#0f766e", "#c2590c"),
    Theme("dark", "#e6efed", "#9fb5b0", "#2b3a37", "#5eead4", "#f0954f"),
)


def draw(folder: Path, measured: Measured, versions: Sequence[ModelVersion]) -> None:
    """Write `<plot>-<theme>.svg` for every plot with data.

    Each is drawn once, since that takes a quarter of a second; the themes differ in colors only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn, *others = THEMES
    with _styled(drawn):
        for name, figure in _figures(measured, versions, drawn):
            svg = io.StringIO()
            figure.savefig(svg, format="svg", metadata={"Date": None})
            text = svg.getvalue()
            (folder / f"{name}-{drawn.name}.svg").write_text(text, encoding="utf-8")
            for theme in others:
                path = folder / f"{name}-{theme.name}.svg"
                path.write_text(_recolored(text, drawn, theme), encoding="utf-8")


def _recolored(svg: str, drawn: Theme, wanted: Theme) -> str:
    """Replace the colors of one theme by those of another, all at once."""
    colors = dict(zip(drawn.colors, wanted.colors, strict=True))
    return re.sub("|".join(colors), lambda found: colors[found[0]], svg)


def measured(report: Mapping[str, Any]) -> Measured:
    """Extract the data of the plots from a report."""
    return Measured(
        {
            control: [(point["confidence"], point["accuracy"], point["count"]) for point in points]
            for control, about in report.get("notes", {}).items()
            if (points := about.get("reliability"))
        },
        report.get("metrics_from", "held-out"),
        report["confidence_histogram"],
        {"": one["threshold"]} if (one := report.get("certificate")) else {},
        report.get("items", "images"),
    )


def _figures(
    measured: Measured, versions: Sequence[ModelVersion], theme: Theme
) -> Iterator[tuple[str, Any]]:
    curves = {name: curve for name, curve in _curves(versions).items() if len(curve) > 1}
    if curves:
        yield "learning-curve", _learning_curve(curves, measured.items, theme)
    if measured.reliability:
        yield "reliability", _reliability(measured, theme)
    if any(measured.histogram):
        yield "confidence", _confidence(measured, theme)


def _curves(versions: Sequence[ModelVersion]) -> dict[str, list[tuple[int, float]]]:
    """(training images, quality) of the versions, oldest first, by name of the curve."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for version in sorted(versions, key=lambda version: version.created):
        several = len(version.metrics) > 1
        for control, own in version.metrics.items():
            if quality := headline(own):
                name = f"{control} {QUALITY[quality]}" if several else QUALITY[quality]
                point = version.trained_on.get("images", 0), own[quality]
                curves.setdefault(name, []).append(point)
    return curves


def _learning_curve(
    curves: Mapping[str, Sequence[tuple[int, float]]], items: str, theme: Theme
) -> Figure:
    figure, axes = _blank("Learning curve", f"training {items}", "quality")
    for (name, curve), (color, marker) in zip(curves.items(), _series(theme), strict=False):
        images, quality = zip(*curve, strict=True)
        style = {"color": color, "marker": marker, "linewidth": 2, "markersize": 6}
        axes.plot(images, quality, label=name, **style)
        axes.annotate(
            f"{quality[-1]:.1%}",
            (images[-1], quality[-1]),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
        )
    every = [quality for curve in curves.values() for _, quality in curve]
    axes.set_ylim(max(0, min(every) - 0.1), min(1.05, max(every) + 0.1))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="lower right", frameon=False)
    return figure


def _reliability(measured: Measured, theme: Theme) -> Figure:
    figure, axes = _blank("Reliability", "predicted confidence", "accuracy")
    axes.plot([0, 1], [0, 1], "--", color=theme.quiet, linewidth=1.2, label="perfect calibration")
    several, images = (
        len(measured.reliability) > 1,
        f"{measured.source} {measured.items} (area: count)",
    )
    for (control, bins), (color, marker) in zip(
        measured.reliability.items(), _series(theme), strict=False
    ):
        confidence, right, sizes = zip(*bins, strict=True)
        axes.scatter(
            confidence,
            right,
            s=[30 + 170 * size / max(sizes) for size in sizes],
            color=color,
            marker=marker,
            alpha=0.85,
            label=control if several else images,
            zorder=3,
        )
    axes.set_xlim(0, 1.03)
    axes.set_ylim(0, 1.06)
    title = images if several else None
    axes.legend(loc="upper left", frameon=False, title=title, alignment="left")
    return figure


def _confidence(measured: Measured, theme: Theme) -> Figure:
    figure, axes = _blank("Confidence of the predictions", "confidence", measured.items)
    bins = len(measured.histogram)
    edges = [place / bins for place in range(bins)]
    axes.bar(edges, measured.histogram, 1 / bins, align="edge", color=theme.accent)
    _mark_thresholds(axes, measured.thresholds, theme)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _mark_thresholds(axes: Any, thresholds: Mapping[str, float], theme: Theme) -> None:
    for number, ((label, threshold), dashes) in enumerate(zip(thresholds.items(), cycle(DASHES))):
        words = f"certified{label and f' {label}'}: {threshold:.2f}"
        named = {"label": words} if number < MOST_NAMED else {}
        axes.axvline(threshold, color=theme.second, linewidth=2, linestyle=dashes, **named)
    if len(thresholds) > MOST_NAMED:
        axes.plot([], [], " ", label=f"and {len(thresholds) - MOST_NAMED} more")
    if thresholds:
        axes.legend(loc="upper left", frameon=False)


def _series(theme: Theme) -> Iterator[tuple[str, str]]:
    """Yield color and marker for each series."""
    return zip(cycle((theme.accent, theme.second)), cycle(MARKERS))


def _blank(title: str, x: str, y: str) -> tuple[Figure, Any]:
    """Return an empty figure and its axes; `Any` because matplotlib types them only partly.

    The margins are fixed, with room for numbers of six digits: to fit them to the text would take
    as long as the drawing.
    """
    figure = Figure(figsize=(4.4, 3.0))
    figure.subplots_adjust(left=0.18, right=0.97, bottom=0.17, top=0.9)
    axes: Any = figure.add_subplot()
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


@contextmanager
def _styled(theme: Theme) -> Generator[None]:
    """Apply the theme to all figures made and saved within."""
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
