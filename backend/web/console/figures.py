"""The figures of reports as the templates show them, control by control; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from backend.domain.json import Json
from backend.presentation import metrics
from backend.web.console import formats


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels of one control: column heads, and rows with the label in front."""

    control: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def label_tables(report: Json) -> list[LabelTable]:
    """What a report measured of each label, or else how often people used it."""
    rows = objects(report.get("per_class")) or objects(report.get("labels"))
    by_control: dict[str, list[Json]] = {}
    for row in rows:
        by_control.setdefault(str(row.get("control", "")), []).append(row)
    several = len(by_control) > 1
    return [_table(name if several else "", own) for name, own in by_control.items()]


def _table(control: str, rows: Sequence[Json]) -> LabelTable:
    keys = dict.fromkeys(key for row in rows for key in row if key not in {"label", "control"})
    cells = [[str(row["label"]), *(_cell(row.get(key), key) for key in keys)] for row in rows]
    return LabelTable(control, [metrics.metric_name(key) for key in keys], cells)


def _cell(value: object, name: str) -> str:
    match value:
        case int():
            return formats.count(value)
        case float():
            return metrics.metric_value(value, name)
        case None:
            return "not measured"
        case _:
            return str(value)


def tried(report: Json) -> list[str]:
    """What a training tried besides the usual, and what became of it, a sentence each."""
    notes = cast(Mapping[str, Json], report.get("notes") or {})
    entries = [entry for about in notes.values() for entry in objects(about.get("tried"))]
    return [_attempt(entry) for entry in entries]


def _attempt(entry: Json) -> str:
    figures = [
        f"{name.replace('_', ' ')} {metrics.metric_value(value, name)}"
        for name, value in entry.items()
        if isinstance(value, float)
    ]
    outcome = "kept" if entry.get("kept") else "not kept"
    reason = f" ({entry['reason']})" if entry.get("reason") else ""
    return f"{entry['name']}: {', '.join([*figures, outcome])}{reason}"


def objects(value: object) -> list[Json]:
    """The objects of a JSON list; none where it is no list, or a list of something else."""
    items = cast(list[object], value) if isinstance(value, list) else []
    return [cast(Json, item) for item in items if isinstance(item, dict)]
