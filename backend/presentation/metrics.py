"""How good a model is, in the words of every face."""

from collections.abc import Iterable, Mapping
from math import isfinite

from backend.domain import metric_names
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
}
"""Names of metrics in words, where we know them."""

NOT_SHARES = ("ece", "log_loss", "loss", "nll", "brier", "edits", "images")

NOT_MEASURED = "not measured: no labeled image could be held out yet"

Metrics = Mapping[str, float | None]


def summary(metrics: Metrics) -> str:
    """The figures by which people choose a version: `Accuracy 93.0%, calibration error 0.04`."""
    measured = {name: metrics[name] for name in _measured(metrics)}
    main = metric_names.headlines(measured)
    names = [
        metric_names.joined(control, name)
        for control, own in metric_names.by_control(measured).items()
        for name in dict.fromkeys((main.get(control, next(iter(own))), "ece"))
        if name in own
    ]
    return _listed(metrics, names)


def figures(metrics: Metrics) -> str:
    """All that was measured."""
    return _listed(metrics, _measured(metrics))


def metric_name(name: str) -> str:
    """`Accuracy`, and `Accuracy of 'pets'` where a project asks several questions.

    So is the label named that a figure is about.
    """
    return capitalize_first(_name(name))


def metric_value(value: float | None, name: str) -> str:
    """A share as percent, a number of images or an error as it is."""
    if value is None or not isfinite(value):
        return "not measured"
    if 0 <= value <= 1 and not metric_names.split(name)[1].startswith(NOT_SHARES):
        return f"{value:.1%}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _measured(metrics: Metrics) -> list[str]:
    return [name for name, value in metrics.items() if value is not None and isfinite(value)]


def _name(name: str) -> str:
    """As it is written within a sentence."""
    control, metric = metric_names.split(name)
    figure, _, label = metric.partition("/")
    words = METRICS.get(figure) or figure.replace("_", " ")
    return " of ".join([words, *(f"'{about}'" for about in (label, control) if about)])


def _listed(metrics: Metrics, names: Iterable[str]) -> str:
    said = [f"{_name(name)} {metric_value(metrics[name], name)}" for name in names]
    return capitalize_first(", ".join(said) or NOT_MEASURED)
