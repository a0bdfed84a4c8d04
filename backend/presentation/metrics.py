"""Metrics in words, for the page, the command line and the dialog."""

from collections.abc import Mapping
from math import isfinite

from backend.domain.ids import ControlName
from backend.domain.metrics import headline
from backend.presentation.sentences import capitalize_first

METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "exact_match": "exact match",
    "map50": "mAP at IoU 0.5",
    "ap50": "AP at IoU 0.5",
    "map50_95": "mAP at IoU 0.5 to 0.95",
    "edits_per_image": "edits per image",
    "ece": "calibration error",
    "ece_equal_width": "calibration error, bins of equal width",
    "log_loss": "log loss",
    "brier": "Brier score",
    "images": "measured on",
}
"""Metrics in words; others are shown by their own name."""

NOT_SHARES = ("ece", "log_loss", "loss", "nll", "brier", "edits", "images")

NOT_MEASURED = "not measured: too few labels to hold some out"

Figures = Mapping[str, float | None]
"""Metric name to value for one control; None or NaN where it was not measured."""

ByControl = Mapping[ControlName, Figures]


def summary(metrics: ByControl) -> str:
    """Name the figures that versions are chosen by: `Accuracy 93.0%, calibration error 0.04`.

    Args:
        metrics: the figures of each control; an only control may be called ''.
    """
    return _listed({control: _main(_measured(own)) for control, own in metrics.items()})


def figures(metrics: ByControl) -> str:
    """List all figures that were measured, in the form of `summary`."""
    return _listed({control: _measured(own) for control, own in metrics.items()})


def metric_name(name: str) -> str:
    """Name a metric for people: `Accuracy`, or `Precision of 'cat'` where it is about a label."""
    return capitalize_first(_name(name))


def metric_value(value: float | None, name: str) -> str:
    """Format a share as percent, a number of images or an error as it is."""
    if value is None or not isfinite(value):
        return "not measured"
    if 0 <= value <= 1 and not name.startswith(NOT_SHARES):
        return f"{value:.1%}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _measured(metrics: Figures) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None and isfinite(value)}


def _main(measured: Mapping[str, float]) -> dict[str, float]:
    """Pick the headline metric, or else the first one, and the calibration error."""
    main = headline(measured) or next(iter(measured), "")
    return {name: measured[name] for name in dict.fromkeys((main, "ece")) if name in measured}


def _name(name: str, control: str = "") -> str:
    """Word a metric as part of a sentence."""
    figure, _, label = name.partition("/")
    words = METRICS.get(figure) or figure.replace("_", " ")
    return " of ".join([words, *(f"'{subject}'" for subject in (label, control) if subject)])


def _listed(metrics: Mapping[ControlName, Mapping[str, float]]) -> str:
    several = len(metrics) > 1
    parts = [
        f"{_name(name, control if several else '')} {metric_value(value, name)}"
        for control, own in metrics.items()
        for name, value in own.items()
    ]
    return capitalize_first(", ".join(parts) or NOT_MEASURED)
