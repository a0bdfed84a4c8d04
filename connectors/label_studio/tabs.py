"""Tabs of Label Studio's Data Manager.

Our tabs carry a mark, so that a tab that a person made is never changed, whatever its title. The
mark is a column width for a column that does not exist: when someone changes a tab in the Data
Manager, that sends back only the fields that it knows, and of these only `columnsWidth` keeps
entries of its own (Label Studio 1.18 to 1.23, `serialize` of the View model).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.label_studio.calls import Calls, JsonObject
from connectors.label_studio.filters import joined

_MODES = ("explore", "labeling")
_MARK = "autolabel"
TASK_DATA = "data.*"
"""All columns of the task's data, which a table shows anyway and a grid if this names them."""

_GRID = {"type": "grid", "gridWidth": 6, "gridFitImagesToWidth": False}
"""An image that fits the width loses its upper and lower parts; otherwise all of it is shown."""


@dataclass(frozen=True, slots=True)
class Tab:
    """What a tab shows.

    `filters` are made by `where` and joined by the `conjunction`. Do not use `in_list`: the Data
    Manager does not know this operator and shows an empty page. `ordering` is one column, with a
    leading `-` for descending order. `columns` are the ones to show beside those of the task's
    data, such as `predictions_score`; an empty sequence means Label Studio's default. A `grid`
    shows images in place of a table, with these columns and no others.
    """

    title: str
    filters: Sequence[Mapping[str, Any]] = ()
    ordering: str = "tasks:id"
    columns: Sequence[str] = ()
    conjunction: str = "and"
    grid: bool = False


class Tabs:
    """List, create, update and delete tabs, which Label Studio's API calls views."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def all(self, project: int) -> list[JsonObject]:
        return self._calls.array("/api/dm/views/", params={"project": project})

    def ensure(self, project: int, wanted: Sequence[Tab]) -> list[int]:
        """Create or update our tabs, matched by title, and return their ids. Safe to repeat.

        If the project has no tab yet, a "Default" tab is created first, as Label Studio would.
        """
        return self._ensure(project, wanted, self.all(project))

    def _ensure(
        self, project: int, wanted: Sequence[Tab], existing: Sequence[JsonObject]
    ) -> list[int]:
        if not existing:
            self._create(project, {"title": "Default"})
        ours = filter(_is_ours, reversed(existing))
        by_title = {tab["data"].get("title"): tab for tab in ours}
        columns = _ColumnNames(self, project)
        return [
            self._ensure_one(project, by_title.get(tab.title), _data(tab, columns))
            for tab in wanted
        ]

    def remove(self, project: int, title: str) -> None:
        """Delete our tabs of this title. Safe to repeat."""
        for tab in self.all(project):
            if _is_ours(tab) and tab["data"].get("title") == title:
                self.delete(tab["id"])

    def replace(self, project: int, prefix: str, wanted: Sequence[Tab]) -> None:
        """Keep of our tabs whose titles begin with `prefix` only these. Safe to repeat."""
        titles, kept = {tab.title for tab in wanted}, list[JsonObject]()
        for tab in self.all(project):
            title = str(tab["data"].get("title"))
            if _is_ours(tab) and title.startswith(prefix) and title not in titles:
                self.delete(tab["id"])
            else:
                kept.append(tab)
        if wanted:
            self._ensure(project, wanted, kept)

    def delete(self, tab: int) -> None:
        self._calls.delete(f"/api/dm/views/{tab}/")

    def columns(self, project: int) -> list[JsonObject]:
        """All columns that a tab of the project can show; parents are listed before children."""
        answer = self._calls.object("GET", "/api/dm/columns", params={"project": project})
        return answer["columns"]

    def _ensure_one(self, project: int, existing: JsonObject | None, data: JsonObject) -> int:
        if existing is None:
            return self._create(project, {**data, "columnsWidth": {_MARK: 1}})
        if not data.items() <= existing["data"].items():
            body = {"data": {**existing["data"], **data}}
            self._calls.object("PATCH", f"/api/dm/views/{existing['id']}/", json=body)
        return int(existing["id"])

    def _create(self, project: int, data: JsonObject) -> int:
        body = {"project": project, "data": data}
        return int(self._calls.object("POST", "/api/dm/views/", json=body)["id"])


def _is_ours(tab: JsonObject) -> bool:
    return _MARK in (tab["data"].get("columnsWidth") or {})


class _ColumnNames:
    """The names of a project's columns, requested once and only when needed."""

    def __init__(self, tabs: Tabs, project: int) -> None:
        self._tabs = tabs
        self._project = project

    @cached_property
    def all(self) -> Sequence[str]:
        columns = self._tabs.columns(self._project)
        return [_name(column) for column in columns if not column.get("children")]


def _data(tab: Tab, columns: _ColumnNames) -> JsonObject:
    data = {
        "title": tab.title,
        "filters": joined(tab.filters, tab.conjunction),
        "ordering": [tab.ordering],
        **(_GRID if tab.grid else {}),
    }
    if not tab.columns:
        return data
    all_data = not tab.grid or TASK_DATA in tab.columns
    hidden = [
        f"tasks:{name}"
        for name in columns.all
        if name not in tab.columns and not (name.startswith("data.") and all_data)
    ]
    return {**data, "hiddenColumns": dict.fromkeys(_MODES, hidden)}


def _name(column: JsonObject) -> str:
    parent = column.get("parent")
    return f"{parent}.{column['id']}" if parent else str(column["id"])
