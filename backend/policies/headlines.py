"""Which of a version's many figures stands for each control."""

from collections.abc import Mapping, Sequence

HEADLINES = ("map50", "accuracy")
"""Of each control the first that it has: boxes that need no edit at all are rare."""


def headlines(metrics: Mapping[str, float]) -> Sequence[str]:
    """One name a control; with several controls a control's name stands before the metric's."""
    controls = dict.fromkeys(name.rpartition(".")[0] for name in metrics)
    found = (
        next((name for name in _named(control) if name in metrics), None) for control in controls
    )
    return [name for name in found if name is not None]


def _named(control: str) -> Sequence[str]:
    return [f"{control}.{metric}" if control else metric for metric in HEADLINES]
