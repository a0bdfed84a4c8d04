"""Names of metrics: `accuracy`, or `kind.accuracy` where a version has several controls."""

import re
from collections.abc import Mapping
from typing import TypeVar

QUALITY = ("map50", "accuracy")
"""By which people compare versions: boxes that need no edit at all are rare, so mAP comes first."""

_NAME = re.compile(
    r"(?:(?P<control>.+?)\.)??(?P<metric>(?:precision|recall)/.+|[^.]+)", flags=re.DOTALL
)
"""The last dot parts control and metric, but for those in the name of a label."""

_Value = TypeVar("_Value")


def by_control(metrics: Mapping[str, _Value]) -> dict[str, dict[str, _Value]]:
    """The metrics of each control by their own names; those of an only control stand at ''."""
    found: dict[str, dict[str, _Value]] = {}
    for name, value in metrics.items():
        control, metric = split(name)
        found.setdefault(control, {})[metric] = value
    return found


def split(name: str) -> tuple[str, str]:
    """The control, '' for an only one, and its metric."""
    match = _NAME.fullmatch(name)
    return (match["control"] or "", match["metric"]) if match else ("", name)


def joined(control: str, metric: str) -> str:
    """What `split` takes apart."""
    return f"{control}.{metric}" if control else metric


def headlines(metrics: Mapping[str, object]) -> dict[str, str]:
    """Of each control the metric that stands for it, where it was measured."""
    grouped = by_control(metrics)
    found = {
        control: next(filter(own.__contains__, QUALITY), "") for control, own in grouped.items()
    }
    return {control: metric for control, metric in found.items() if metric}
