"""Tabs of Label Studio's Data Manager."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.label_studio.calls import Calls, Json

_MODES = ("explore", "labeling")


@dataclass(frozen=True, slots=True)
class Tab:
    """What a tab shows.

    `filters` as `where` makes them, joined by the `conjunction`, but none with `in_list`: Label
    Studio's Data Manager does not know that operator and shows nothing at all any more.
    `ordering` names one column, after a `-` in reverse. `columns` are those to show, such as
    `predictions_score`, with those of the task's data; none of them means the usual ones.
    """

    title: str
    filters: Sequence[Mapping[str, Any]] = ()
    ordering: str = "tasks:id"
    columns: Sequence[str] = ()
    conjunction: str = "and"


class Tabs(Calls):
    """List, create, update and delete tabs, which Label Studio's API calls views."""

    def tabs(self, project: int) -> list[Json]:
        return self._list("/api/dm/views/", params={"project": project})

    def ensure_tabs(self, project: int, wanted: Sequence[Tab]) -> list[int]:
        """Make the tabs of these titles show exactly this; their ids. Safe to repeat.

        The first tab of a project is preceded by the "Default" one that Label Studio itself
        would have made.
        """
        there = self.tabs(project)
        if not there:
            self._create_tab(project, {"title": "Default"})
        same = {tab["data"].get("title"): tab for tab in reversed(there)}
        columns = _Columns(self, project)
        return [self._ensure(project, same.get(tab.title), _data(tab, columns)) for tab in wanted]

    def delete_tab(self, tab: int) -> None:
        self._delete(f"/api/dm/views/{tab}/")

    def columns(self, project: int) -> list[Json]:
        """All that a tab of the project can show; a parent is listed before its children."""
        return self._object("GET", "/api/dm/columns", params={"project": project})["columns"]

    def _ensure(self, project: int, there: Json | None, data: Json) -> int:
        if there is None:
            return self._create_tab(project, data)
        if not data.items() <= there["data"].items():
            body = {"data": {**there["data"], **data}}
            self._object("PATCH", f"/api/dm/views/{there['id']}/", json=body)
        return int(there["id"])

    def _create_tab(self, project: int, data: Json) -> int:
        answer = self._object("POST", "/api/dm/views/", json={"project": project, "data": data})
        return int(answer["id"])


class _Columns:
    """The names of a project's columns, asked for once and only when needed."""

    def __init__(self, tabs: Tabs, project: int) -> None:
        self._tabs = tabs
        self._project = project

    @cached_property
    def names(self) -> Sequence[str]:
        columns = self._tabs.columns(self._project)
        return [_name(column) for column in columns if not column.get("children")]


def _data(tab: Tab, columns: _Columns) -> Json:
    data = {
        "title": tab.title,
        "filters": {
            "conjunction": tab.conjunction,
            "items": [dict(one) for one in tab.filters],
        },
        "ordering": [tab.ordering],
    }
    if not tab.columns:
        return data
    hidden = [
        f"tasks:{name}"
        for name in columns.names
        if name not in tab.columns and not name.startswith("data.")
    ]
    return {**data, "hiddenColumns": dict.fromkeys(_MODES, hidden)}


def _name(column: Json) -> str:
    parent = column.get("parent")
    return f"{parent}.{column['id']}" if parent else str(column["id"])
