"""Metrics of a model version, and their form in JSON."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from backend.domain.ids import ControlName
from backend.domain.json import Json, JsonObject

ControlMetrics = Mapping[str, float]
"""Metric name to value for one control; NaN where a metric could not be measured."""

Metrics = Mapping[ControlName, ControlMetrics]

HEADLINES = ("map50", "accuracy")
"""Metrics that versions are compared by, the preferred one first: images of many boxes rarely need
no edit at all, so mAP says more about a detector than accuracy does."""


def headline(metrics: Mapping[str, object]) -> str | None:
    """Return the name of the metric that a control is judged by, if it was measured."""
    return next((name for name in HEADLINES if name in metrics), None)


def metrics_to_json(metrics: Metrics) -> JsonObject:
    """Serialize: `{"accuracy": 0.9}` for one control, `{"pets": {"accuracy": 0.9}, …}` else."""
    if len(metrics) == 1:
        (only,) = metrics.values()
        return dict(only)
    return {control: dict(own) for control, own in metrics.items()}


def metrics_from_json(
    metrics: Json, controls: Iterable[str] = ("",)
) -> dict[ControlName, dict[str, Any]]:
    """Parse what `metrics_to_json` wrote for these controls.

    A report does not name its only control, so its figures come back under ''. Cards of several
    controls were once flat, with names such as `pets.accuracy`.
    """
    names = [ControlName(control) for control in controls]
    if any(isinstance(value, Mapping) for value in metrics.values()):
        return {ControlName(name): dict(cast(Json, own)) for name, own in metrics.items()}
    if len(names) == 1:
        return {names[0]: dict(metrics)}
    return {
        name: {
            key.removeprefix(f"{name}."): value
            for key, value in metrics.items()
            if key.startswith(f"{name}.")
        }
        for name in names
    }
