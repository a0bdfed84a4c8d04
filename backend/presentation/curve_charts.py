"""Curves of a report: precision over coverage, and quality over labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor
from typing import cast

from backend.domain.json import Json
from backend.presentation import metrics

WIDTH, HEIGHT = 440, 290
LEFT, RIGHT, TOP, BOTTOM = 52, 424, 16, 244
"""Edges of the drawing area, in pixels of the picture."""

STEPS = 4
"""Parts of an axis between its ticks."""

COVERAGES = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Rows of the table of a precision-coverage curve."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a curve; `text` says what it is."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class CurveChart:
    """A curve with its axes, in pixels, and a table of what it shows.

    `line` and `dashes` are points of a polyline as SVG writes them; `ticks_x` and `ticks_y` pair a
    place with its text. `marked` is one point that stands out.
    """

    name: str
    title: str
    description: str
    x_name: str
    y_name: str
    line: str
    ticks_x: Sequence[tuple[float, str]]
    ticks_y: Sequence[tuple[float, str]]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    dots: Sequence[Dot] = ()
    dashes: str = ""
    marked: Dot | None = None


def curve_charts(report: Json, certificate: Json | None = None) -> list[CurveChart]:
    """Return all curves for which the report has figures.

    `certificate` is the one of the version, if the report has none itself.
    """
    notes = cast("dict[str, Json]", report.get("notes") or {})
    items = str(report.get("items", "images"))
    certified = cast("Json | None", report.get("certificate")) or certificate
    found = [
        _coverage(control if len(notes) > 1 else "", about, certified, items)
        for control, about in notes.items()
        if about.get("coverage")
    ]
    curves = cast("list[Json]", report.get("learning_curves") or [])
    found += [_learning(one, items, several=len(curves) > 1) for one in curves if one.get("points")]
    return found


def _coverage(control: str, about: Json, certificate: Json | None, items: str) -> CurveChart:
    points = [
        (float(one["coverage"]), float(one["precision"]), float(one["threshold"]))
        for one in cast("list[dict[str, float]]", about["coverage"])
    ]
    rows = cast("list[Json]", about.get("per_label") or [])
    boxes = bool(rows) and "boxes" in rows[0]
    unit = "boxes" if boxes else items
    marked = None if boxes or certificate is None else _certified(certificate)
    lowest = min(precision for _, precision, _ in points)
    if marked:
        lowest = min(lowest, marked.y)
    area = _Area(0, 1, floor(lowest * 10 - 1e-9) / 10 if lowest > 0 else 0.0, 1)
    where = f" of {control}" if control else ""
    return CurveChart(
        name=f"coverage-{control}",
        title=f"Precision of the surest {unit}{where}",
        description=f"Right among the surest {unit}, for each share of them, measured on "
        f"{about.get('metrics_from', 'held-out')} {items}. {_read(points)}",
        x_name=f"share of the {unit}, the surest first",
        y_name="right",
        line=area.line([(share, precision) for share, precision, _ in points]),
        ticks_x=area.ticks_x(_percent),
        ticks_y=area.ticks_y(_percent),
        head=("Surest", "Right", "Confidence from"),
        rows=[_row(points, share) for share in COVERAGES],
        marked=marked and Dot(area.x(marked.x), area.y(marked.y), marked.text),
    )


def _certified(certificate: Json) -> Dot:
    """Return the share of the audited images that was accepted, and what is promised of them."""
    numbers = cast("dict[str, float]", certificate)
    accepted, region = numbers["accepted"], numbers["region"]
    share = min(1.0, accepted / max(1, region))
    right = 1 - numbers.get("allowed", 0) / max(1, accepted)
    return Dot(share, right, f"certified: {share:.0%} accepted, at least {right:.1%} right")


def _read(points: Sequence[tuple[float, float, float]]) -> str:
    half = _row(points, 0.5)
    return f"Of the surest {half[0]}, {half[1]} are right; of all, {points[-1][1]:.1%}."


def _row(points: Sequence[tuple[float, float, float]], share: float) -> tuple[str, str, str]:
    """Return the point with at least this coverage, in words."""
    covered, precision, threshold = next(
        (one for one in points if one[0] >= share - 1e-9), points[-1]
    )
    return f"{covered:.0%}", f"{precision:.1%}", f"{threshold:.2f}"


def _learning(curve: Json, items: str, *, several: bool) -> CurveChart:
    points, ahead = _trainings(curve, "points"), _trainings(curve, "ahead")
    every = [*points, *ahead]
    metric, control = str(curve.get("metric")), str(curve.get("control") or "")
    scores = [score for _, score in every]
    area = _Area(
        0,
        max(images for images, _ in every) or 1,
        max(0.0, floor(min(scores) * 10 - 0.5) / 10),
        min(1.0, floor(max(scores) * 10 + 1) / 10),
    )
    name, where = metrics.metric_name(metric), f" of {control}" if several else ""
    words = "one training" if len(points) == 1 else f"{len(points)} trainings"
    forecast = (
        f" If errors go on falling, {ahead[-1][1]:.1%} with {ahead[-1][0]:,} labeled {items}."
        if ahead
        else ""
    )
    return CurveChart(
        name=f"learning-{control}",
        title=f"Learning curve{where}",
        description=f"{name} after {words}: {points[-1][1]:.1%} with {points[-1][0]:,} labeled "
        f"{items}.{forecast}",
        x_name=f"labeled {items}",
        y_name=name,
        line=area.line(points),
        ticks_x=area.ticks_x(lambda value: f"{value:,.0f}"),
        ticks_y=area.ticks_y(_percent),
        head=(f"Labeled {items}", name, ""),
        rows=[
            *((f"{images:,}", f"{score:.1%}", "measured") for images, score in points),
            *((f"{images:,}", f"{score:.1%}", "forecast") for images, score in ahead),
        ],
        dots=[Dot(area.x(images), area.y(score), f"{score:.1%}") for images, score in points],
        dashes=area.line([points[-1], *ahead]) if ahead else "",
    )


def _trainings(curve: Json, key: str) -> list[tuple[int, float]]:
    rows = cast("list[dict[str, float]]", curve.get(key) or [])
    return sorted((int(one["images"]), float(one["score"])) for one in rows)


def _percent(value: float) -> str:
    """`95%`, `97.5%`."""
    return f"{round(100 * value, 1):g}%"


@dataclass(frozen=True, slots=True)
class _Area:
    """Maps values to pixels of the drawing area."""

    left: float
    right: float
    bottom: float
    top: float

    def x(self, value: float) -> float:
        return round(LEFT + (value - self.left) / (self.right - self.left) * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        share = (value - self.bottom) / ((self.top - self.bottom) or 1)
        return round(BOTTOM - share * (BOTTOM - TOP), 1)

    def line(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)

    def ticks_x(self, text: Callable[[float], str]) -> list[tuple[float, str]]:
        return [(self.x(value), text(value)) for value in _parts(self.left, self.right)]

    def ticks_y(self, text: Callable[[float], str]) -> list[tuple[float, str]]:
        return [(self.y(value), text(value)) for value in _parts(self.bottom, self.top)]


def _parts(low: float, high: float) -> list[float]:
    return [low + (high - low) * step / STEPS for step in range(STEPS + 1)]
