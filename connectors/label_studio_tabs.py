"""Tabs of Label Studio's Data Manager."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.label_studio_calls import Calls, Json

_MODES = ("explore", "labeling")


class Tabs(Calls):
    """List, create, update and delete tabs, which Label Studio's API calls views."""

    def tabs(self, project: int) -> list[Json]:
        return self._list("/api/dm/views/", params={"project": project})

    def ensure_tab(
        self,
        project: int,
        title: str,
        filters: Sequence[Mapping[str, Any]],
        ordering: str = "tasks:id",
        columns: Iterable[str] = (),
        conjunction: str = "and",
    ) -> int:
        """Make the tab of this title show exactly this; its id. Safe to repeat.

        `filters` as `where` makes them, but none with `in_list`: Label Studio's Data Manager does
        not know that operator and shows nothing at all any more. `ordering` names one column,
        after a `-` in reverse; `columns` are those to show, such as `predictions_score`, with
        those of the task's data; none of them means the usual ones. The first tab of a project is
        preceded by the "Default" one that Label Studio itself would have made.
        """
        tabs = self.tabs(project)
        if not tabs:
            self._create_tab(project, {"title": "Default"})
        wanted = {
            "title": title,
            "filters": {"conjunction": conjunction, "items": [dict(one) for one in filters]},
            "ordering": [ordering],
            **self._hidden(project, set(columns)),
        }
        same = next((tab for tab in tabs if tab["data"].get("title") == title), None)
        if same is None:
            return self._create_tab(project, wanted)
        if not wanted.items() <= same["data"].items():
            body = {"data": {**same["data"], **wanted}}
            self._object("PATCH", f"/api/dm/views/{same['id']}/", json=body)
        return int(same["id"])

    def delete_tab(self, tab: int) -> None:
        self._delete(f"/api/dm/views/{tab}/")

    def _create_tab(self, project: int, data: Json) -> int:
        answer = self._object("POST", "/api/dm/views/", json={"project": project, "data": data})
        return int(answer["id"])

    def _hidden(self, project: int, shown: set[str]) -> Json:
        if not shown:
            return {}
        columns = self._object("GET", "/api/dm/columns", params={"project": project})["columns"]
        names = (_name(column) for column in columns if not column.get("children"))
        hidden = [
            f"tasks:{name}" for name in names if name not in shown and not name.startswith("data.")
        ]
        return {"hiddenColumns": dict.fromkeys(_MODES, hidden)}


def _name(column: Json) -> str:
    parent = column.get("parent")
    return f"{parent}.{column['id']}" if parent else str(column["id"])
