"""Tasks of Label Studio: keyset pages of them, and ways to make and delete them."""

import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from connectors.errors import FetchFailed
from connectors.label_studio.calls import Calls, Json, batches

_IDS_A_QUERY = 300
"""Ids go into the address of a request, which proxies often limit to 8 kB."""

_IMPORT_SIZE = 5000
_FILES_A_REQUEST = 100
_LIST_SECONDS = 120.0
_IMPORT_SECONDS = 300.0

ANNOTATION_FIELDS = (
    "annotations",
    "result",
    "was_cancelled",
    "ground_truth",
    "created_at",
    "updated_at",
    "completed_by",
    "parent_prediction",
)
"""Label Studio applies `include` to the objects inside a task too, so these are named as well."""

_KINDS = ((list, "List"), (str, "String"), (bool, "Boolean"), (object, "Number"))


def where(column: str, operator: str, value: Any) -> Json:
    """One filter of the Data Manager, such as `where("total_annotations", "equal", 0)`.

    Operators: equal, not_equal, less, greater, less_or_equal, greater_or_equal, in, not_in (of
    `{"min", "max"}`), in_list, not_in_list, empty, contains, not_contains, regex.
    """
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": next(name for kind, name in _KINDS if isinstance(value, kind)),
        "value": value,
    }


_UNTOUCHED = (where("total_annotations", "equal", 0), where("cancelled_annotations", "equal", 0))


class Tasks(Calls):
    """List, import, upload and delete tasks.

    Lists page by the last id seen instead of a page number: rows that appear, change or vanish
    between two pages then neither shift nor repeat the others. A page may be shorter than asked
    for, since Label Studio can be told to limit it (`TASK_API_PAGE_SIZE_MAX`).
    """

    page_size = 1000

    def labeled_tasks(self, project: int) -> Iterator[Json]:
        """Tasks with an annotation that is no skip: `id`, `data` and whole `annotations`."""
        labeled = where("total_annotations", "greater", 0)
        return self._pages(project, [labeled], ("id", "data", *ANNOTATION_FIELDS), "all")

    def unlabeled_tasks(self, project: int) -> Iterator[Json]:
        """Tasks that nobody annotated or skipped: `id` and `data`."""
        return self._pages(project, _UNTOUCHED, ("id", "data"))

    def count_unlabeled(self, project: int) -> int:
        """How many `unlabeled_tasks` there are, without listing them."""
        return int(self._page(project, _UNTOUCHED, ("id",), "task_only", 1)["total"])

    def tasks_by_id(self, project: int, ids: Iterable[int]) -> Iterator[Json]:
        """Those of the tasks that are there: `id`, `data` and both counts of annotations."""
        fields = ("id", "data", "total_annotations", "cancelled_annotations")
        return self._among(project, ids, fields)

    def import_tasks(self, project: int, data: Sequence[Mapping[str, Any]]) -> list[int]:
        """The ids of the new tasks, in order.

        Raises:
            Unreachable: also when the connection broke meanwhile; some may have been made.
        """
        ids: list[int] = []
        for batch in batches(data, _IMPORT_SIZE):
            ids += self._import(project, json=[{"data": dict(one)} for one in batch])
        return ids

    def upload_images(self, project: int, paths: Sequence[Path]) -> list[int]:
        """Upload files, one task a file; the ids of the tasks, in order.

        Raises:
            FetchFailed: when a file cannot be read.
        """
        ids: list[int] = []
        for batch in batches(paths, _FILES_A_REQUEST):
            with ExitStack() as opened:
                # of several files under one name Label Studio would keep the last
                files = {f"file{n}": _part(path, opened) for n, path in enumerate(batch)}
                ids += self._import(project, files=files)
        return ids

    def delete_tasks(self, project: int, ids: Sequence[int]) -> None:
        for batch in batches(ids, self.page_size):
            self._act(project, "delete_tasks", batch)

    def _import(self, project: int, **body: Any) -> list[int]:
        answer = self._object(
            "POST",
            f"/api/projects/{project}/import",
            params={"return_task_ids": "true"},
            timeout=_IMPORT_SECONDS,
            **body,
        )
        return [int(task) for task in answer.get("task_ids", ())]

    def _among(
        self,
        project: int,
        ids: Iterable[int],
        fields: Sequence[str],
        depth: str = "task_only",
        filters: Sequence[Json] = (),
    ) -> Iterator[Json]:
        for batch in batches(sorted(set(ids)), _IDS_A_QUERY):
            among = [*filters, where("id", "in_list", list(batch))]
            yield from self._pages(project, among, fields, depth)

    def _pages(
        self,
        project: int,
        filters: Sequence[Json],
        fields: Sequence[str],
        depth: str = "task_only",
    ) -> Iterator[Json]:
        last = 0
        while True:
            beyond = [*filters, where("id", "greater", last)]
            answer = self._page(project, beyond, fields, depth, self.page_size)
            page: list[Json] = answer["tasks"]
            yield from page
            if not page or len(page) >= answer["total"]:
                return
            last = page[-1]["id"]

    def _page(
        self,
        project: int,
        filters: Sequence[Json],
        fields: Sequence[str],
        depth: str,
        size: int,
    ) -> Json:
        matching = {"conjunction": "and", "items": filters}
        query = {"filters": matching, "ordering": ["tasks:id"]}
        return self._object(
            "GET",
            "/api/tasks",
            params={
                "project": project,
                "query": json.dumps(query, separators=(",", ":")),
                "fields": depth,
                "include": ",".join(fields),
                "page_size": size,
                "resolve_uri": "false",
            },
            timeout=_LIST_SECONDS,
        )


def _part(path: Path, opened: ExitStack) -> tuple[str, Any, str]:
    try:
        content = opened.enter_context(path.open("rb"))
    except OSError as exc:
        raise FetchFailed(f"{path} cannot be read: {exc.strerror}") from exc
    return path.name, content, mimetypes.guess_type(path.name)[0] or "application/octet-stream"
