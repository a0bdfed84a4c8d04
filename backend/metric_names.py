"""Names of metrics: `accuracy`, or `kind.accuracy` where a version has several controls."""

import re
from collections.abc import Mapping

QUALITY = ("map50", "accuracy")
"""By which people compare versions: of each control, the first that was measured."""

_NAME = re.compile(
    r"(?:(?P<control>.+?)\.)??(?P<metric>(?:precision|recall)/.+|[^.]+)", flags=re.DOTALL
)
"""The last dot parts control and metric, but for those in the name of a label."""


def by_control(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The metrics of each control by their own names; those of an only control stand at ''."""
    found: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        control, metric = _split(name)
        found.setdefault(control, {})[metric] = value
    return found


def _split(name: str) -> tuple[str, str]:
    match = _NAME.fullmatch(name)
    return (match["control"] or "", match["metric"]) if match else ("", name)
