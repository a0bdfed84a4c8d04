"""Tabs of Label Studio's Data Manager.

Our tabs carry a mark, so that a tab that a person made is never changed, whatever its title. The
mark is a column width for a column that does not exist: when someone changes a tab in the Data
Manager, that sends back only the fields that it knows, and of these only `columnsWidth` keeps
entries of its own (Label Studio 1.18 to 1.23, `serialize` of the View model).
"""

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.label_studio.calls import Calls, JsonObject
from connectors.label_studio.filters import joined

_MODES = ("explore", "labeling")
_MARK = "autolabel"
_TABS, _COLUMNS = "tabs", "columns"
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
        self._kept = _Kept()

    @contextmanager
    def read_once(self, project: int) -> Generator[None]:
        """Ask for the tabs and columns of a project only once while the block runs, in this thread.

        What others change meanwhile may be overwritten, as between any two requests.
        """
        self._kept.project = project
        try:
            yield
        finally:
            self._kept.forget()

    def all(self, project: int) -> list[JsonObject]:
        """All tabs of the project, in the order of the tab bar."""
        path, params = "/api/dm/views/", {"project": project}
        return self._kept.read(_TABS, project, lambda: self._calls.array(path, params=params))

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
        self._kept.replace(tab)

    def columns(self, project: int) -> list[JsonObject]:
        """All columns that a tab of the project can show; parents are listed before children."""

        def ask() -> list[JsonObject]:
            answer = self._calls.object("GET", "/api/dm/columns/", params={"project": project})
            return answer["columns"]

        return self._kept.read(_COLUMNS, project, ask)

    def _ensure_one(self, project: int, existing: JsonObject | None, data: JsonObject) -> int:
        if existing is None:
            return self._create(project, {**data, "columnsWidth": {_MARK: 1}})
        if not data.items() <= existing["data"].items():
            body = {"data": {**existing["data"], **data}}
            changed = self._calls.object("PATCH", f"/api/dm/views/{existing['id']}/", json=body)
            self._kept.replace(existing["id"], changed)
        return int(existing["id"])

    def _create(self, project: int, data: JsonObject) -> int:
        body = {"project": project, "data": data}
        created = self._calls.object("POST", "/api/dm/views/", json=body)
        self._kept.replace(created["id"], created)
        return int(created["id"])


def _is_ours(tab: JsonObject) -> bool:
    return _MARK in (tab["data"].get("columnsWidth") or {})


class _Kept(threading.local):
    """What a thread has read of a project's tabs and columns, with its own changes."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.project: int | None = None
        self._answers: dict[str, list[JsonObject]] = {}

    def read(
        self, what: str, project: int, ask: Callable[[], list[JsonObject]]
    ) -> list[JsonObject]:
        """Ask, unless the answer is kept."""
        if project != self.project:
            return ask()
        if what not in self._answers:
            self._answers[what] = ask()
        return list(self._answers[what])

    def replace(self, tab: int, *now: JsonObject) -> None:
        """Keep a tab as it is now, a new one last; one that is gone is dropped."""
        tabs = self._answers.get(_TABS, [])
        place = next((place for place, one in enumerate(tabs) if one["id"] == tab), len(tabs))
        tabs[place : place + 1] = now


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
