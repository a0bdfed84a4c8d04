"""Tasks of Label Studio: list them by keyset pages, create them from images."""

import json
import mimetypes
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from connectors.errors import FetchFailed, Unreachable
from connectors.label_studio.ask_ahead import begun
from connectors.label_studio.calls import Calls, JsonObject, batches, send_in_parts
from connectors.label_studio.filters import joined, where
from connectors.label_studio.request_size import RequestSize
from connectors.label_studio.task_size import fitting

IDS_PER_QUERY = 90
"""Tasks that one request names: leaves terms for other filters, and the URL within the 8 kB that
proxies often allow."""

_IDS_PER_RANGE = 400
"""Ids that one request may ask for by their range, where hardly any other tasks lie between."""

_FIRST_PAGE = 20
"""Tasks of a first page, which tells how large their data is."""

_GLANCE = 100
"""Tasks of a page after which the caller seems to want all: some look at the first few only."""

_FILES_PER_REQUEST = 100
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
    "updated_by",
    "lead_time",
    "parent_prediction",
)
"""Label Studio applies `include` to nested objects too, so their fields are listed as well."""

_SUMMARY = ("id", "data", "total_annotations", "cancelled_annotations")

UNTOUCHED = (where("total_annotations", "equal", 0), where("cancelled_annotations", "equal", 0))

_LABELED = where("total_annotations", "greater", 0)

_SKIPPED = (where("total_annotations", "equal", 0), where("cancelled_annotations", "greater", 0))


class Tasks:
    """List tasks, and create them by uploading images.

    Lists page by the last id seen, not by page number: tasks that appear, change or vanish
    between two pages neither shift nor repeat the others. A page may be shorter than requested,
    because Label Studio can limit it (`TASK_API_PAGE_SIZE_MAX`).
    """

    page_size = 2000
    """Tasks in a page, half as many where it takes long. For each page, Label Studio counts all
    matching tasks, their annotations and predictions: two pages of 2,500 took 2.3 to 3.0 s where
    five of 1,000 took 3.6. It reads all predictions of the tasks, too, so pages with many versions
    are slow."""

    page_characters = 16_000_000
    """Characters of data in a page; an image in it, as base64, may have millions."""

    nested_size = 500
    """Tasks in a page with annotations and predictions, fewer where it takes long: Label Studio
    takes 2 to 8 ms for each, 25 on a busy PostgreSQL, and 0.1 s for a page."""

    def __init__(self, calls: Calls, clock: Callable[[], float]) -> None:
        self._calls = calls
        self._sizes_by_depth = {
            "task_only": RequestSize(clock, self.page_size, self.page_size // 2, self.page_size),
            "all": RequestSize(
                clock, self.nested_size // 5, self.nested_size // 10, self.nested_size
            ),
        }
        self._sizes_by_project: dict[int, int] = {}

    def labeled(
        self,
        project: int,
        since: datetime | None = None,
        ids: Collection[int] | None = None,
        between: tuple[int, int] | None = None,
    ) -> Iterator[JsonObject]:
        """Tasks with an annotation that is not a skip: `id`, `data` and complete `annotations`.

        And `updated_at`. `since` limits them to tasks that changed after that moment, `ids` to
        these tasks, `between` to a range of ids.
        """
        filters = [_LABELED, *_changed_after(since), *_in_range(between)]
        fields = ("id", "data", *ANNOTATION_FIELDS)
        if ids is None:
            return self.matching(project, filters, fields, "all")
        return self.among(project, ids, fields, "all", filters)

    def labeled_summaries(self, project: int) -> Iterator[JsonObject]:
        """What `labeled` would list, without annotations and so in about a quarter of the time.

        `id`, `data`, `updated_at` and both annotation counts.
        """
        return self.matching(project, [_LABELED], ("updated_at", *_SUMMARY), ahead=True)

    def summaries(self, project: int) -> Iterator[JsonObject]:
        """All tasks: `id`, `data` and both annotation counts."""
        return self.matching(project, (), _SUMMARY, ahead=True)

    def labeled_changes(self, project: int, since: datetime) -> dict[int, datetime]:
        """When each task that `labeled` would list changed, without its annotations."""
        rows = self.matching(project, [_LABELED, *_changed_after(since)], ("id", "updated_at"))
        return {row["id"]: datetime.fromisoformat(row["updated_at"]) for row in rows}

    def count_labeled_changes(self, project: int, since: datetime) -> int:
        """Count what `labeled_changes` would list, in one request."""
        return self.count(project, [_LABELED, *_changed_after(since)])

    def newest_change(self, project: int) -> tuple[int, datetime | None]:
        """Count what `labeled` would list, and tell when one of them last changed. One request."""
        fields = ("id", "updated_at")
        newest_first = "-tasks:updated_at"
        answer = self._page(project, [_LABELED], fields, "task_only", 1, newest_first)
        rows = answer["tasks"]
        changed = datetime.fromisoformat(rows[0]["updated_at"]) if rows else None
        return int(answer["total"]), changed

    def unlabeled(self, project: int) -> Iterator[JsonObject]:
        """Tasks without annotations and skips: `id` and `data`."""
        return self.matching(project, UNTOUCHED, ("id", "data"), ahead=True)

    def count_unlabeled(self, project: int) -> int:
        """Count what `unlabeled` would list, in one request."""
        return self.count(project, UNTOUCHED)

    def count_before_listing(self, project: int) -> int:
        """Count what `unlabeled` would list, in one request for the first few.

        They tell how large their data is, so that lists of this project begin with full pages.
        """
        answer = self._page(project, UNTOUCHED, ("id", "data"), "task_only", _FIRST_PAGE)
        self._learn_size(project, answer["tasks"])
        return int(answer["total"])

    def skipped(self, project: int) -> Iterator[JsonObject]:
        """Tasks that were skipped and have no other annotation: `id` and `data`."""
        return self.matching(project, _SKIPPED, ("id", "data"))

    def skips(self, project: int) -> Iterator[JsonObject]:
        """What `skipped` lists, with complete `annotations` in place of the data."""
        return self.matching(project, _SKIPPED, ("id", *ANNOTATION_FIELDS), "all")

    def count_skipped(self, project: int) -> int:
        """Count what `skipped` would list, in one request."""
        return self.count(project, _SKIPPED)

    def _size(self, project: int, fields: Sequence[str], depth: str) -> int:
        """Return how many tasks to ask for at once."""
        largest = self.nested_size if depth == "all" else self.page_size
        most = min(largest, self._sizes_by_depth[depth].now)
        return min(
            most, self._sizes_by_project.get(project, _FIRST_PAGE) if "data" in fields else most
        )

    def _learn_size(self, project: int, page: Sequence[JsonObject]) -> None:
        if page:
            self._sizes_by_project[project] = fitting(page, self.page_characters)

    def count(self, project: int, filters: Sequence[JsonObject]) -> int:
        """Count the tasks that match all filters, in one request."""
        return int(self._page(project, filters, ("id",), "task_only", 1)["total"])

    def newest(self, project: int) -> int:
        """The highest task id of the project, 0 without tasks."""
        rows = self._page(project, (), ("id",), "task_only", 1, "-tasks:id")["tasks"]
        return int(rows[0]["id"]) if rows else 0

    def newest_labeled(self, project: int, most: int = 100) -> tuple[int, list[str]]:
        """Return the number of annotations, and when tasks were last annotated, newest first.

        Of the labeled tasks that changed last. The time of a task itself is of no use: it changes
        with each prediction that is created or deleted. Skips do not count. One request, however
        large the project is.
        """
        fields = ("id", "annotations", "updated_at", "was_cancelled")
        answer = self._page(project, [_LABELED], fields, "all", most, "-tasks:updated_at")
        times = [
            max(of_task)
            for row in answer["tasks"]
            if (of_task := [_moment(one) for one in row["annotations"] if not _is_skip(one)])
        ]
        return int(answer["total_annotations"]), sorted(times, reverse=True)

    def by_id(self, project: int, ids: Iterable[int]) -> Iterator[JsonObject]:
        """The tasks with these ids that exist: `id`, `data` and both annotation counts."""
        return self.among(project, ids, _SUMMARY)

    def data(self, project: int, task: int) -> JsonObject:
        """The data of one task, empty if it is gone. It asks no ML backend, as opening it would."""
        row = next(self.among(project, [task], ("id", "data")), None)
        return row["data"] if row else {}

    def annotated(self, project: int, ids: Iterable[int]) -> Iterator[JsonObject]:
        """The tasks with these ids that exist: `id` and complete `annotations`, skips included."""
        return self.among(project, ids, ("id", *ANNOTATION_FIELDS), "all")

    def any_untouched(self, project: int, ids: Iterable[int]) -> bool:
        """Whether one of these tasks has neither annotations nor skips; ends at the first found."""
        return any(True for _ in self.among(project, ids, ("id",), filters=UNTOUCHED))

    def drafted_ids(self, project: int) -> set[int]:
        """Ids of the tasks that anyone has a draft of: an annotation begun and not submitted."""
        drafts = [where("draft_exists", "equal", True)]
        return {row["id"] for row in self.matching(project, drafts, ("id",))}

    def predicted_ids(
        self, project: int, version: str, between: tuple[int, int] | None = None
    ) -> set[int]:
        """Ids of the tasks with a prediction of this version; `between` limits them to a range."""
        return {task for task, _ in self.predicted_versions(project, [version], between)}

    def predicted_versions(
        self, project: int, versions: Collection[str], between: tuple[int, int] | None = None
    ) -> set[tuple[int, str]]:
        """Each task with each of these versions that it has a prediction of."""
        found = set[tuple[int, str]]()
        for part in batches(sorted(versions), IDS_PER_QUERY):
            versions_of = where("predictions_model_versions", "contains", list(part))
            filters = [versions_of, *_in_range(between)]
            for row in self.matching(project, filters, ("id", "predictions_model_versions")):
                found.update((row["id"], name) for name in _versions(row) if name in versions)
        return found

    def upload_images(self, project: int, paths: Sequence[Path]) -> list[int]:
        """Upload files as one task each and return the task ids in the order of the files.

        Raises:
            FetchFailed: when a file cannot be read.
        """
        ids: list[int] = []
        for batch in batches(paths, _FILES_PER_REQUEST):
            parts = send_in_parts(batch, lambda some: self._upload_files(project, some))
            ids += [task for part in parts for task in part]
        return ids

    def _upload_files(self, project: int, paths: Sequence[Path]) -> list[int]:
        with ExitStack() as opened:
            # Label Studio keeps only the last of several files sent under the same field name
            files = {f"file{n}": _part(path, opened) for n, path in enumerate(paths)}
            return self._upload(project, files)

    def among(
        self,
        project: int,
        ids: Iterable[int],
        fields: Sequence[str],
        depth: str = "task_only",
        filters: Sequence[JsonObject] = (),
    ) -> Iterator[JsonObject]:
        """Like `matching`, limited to the tasks with these ids, however many."""
        for wanted, limit in _id_filters(sorted(set(ids))):
            for row in self.matching(project, [*filters, limit], fields, depth):
                if row["id"] in wanted:
                    yield row

    def matching(
        self,
        project: int,
        filters: Sequence[JsonObject],
        fields: Sequence[str],
        depth: str = "task_only",
        *,
        ahead: bool = False,
    ) -> Iterator[JsonObject]:
        """The `fields` of all tasks that match all filters, ordered by id.

        `depth` "all" includes annotations and predictions, "task_only" leaves them out. With
        `ahead` the next page is asked for while the caller works on a page, if it goes on reading.
        """

        def ask(last: int, patience: float | None = None) -> JsonObject:
            after_last = [*filters, where("id", "greater", last)]
            size = self._size(project, fields, depth)
            with self._sizes_by_depth[depth].measured(size):
                return self._page(project, after_last, fields, depth, size, patience=patience)

        answer = ask(0)
        while page := answer["tasks"]:
            if "data" in fields:
                self._learn_size(project, page)
            yield from page[:_GLANCE]
            rest, is_last = page[_GLANCE:], len(page) >= answer["total"]
            next_page = partial(ask, page[-1]["id"])
            is_wanted = ahead and rest and not is_last
            # without patience, so that all waiting, and what may stop it, is in the caller's thread
            coming = begun(partial(next_page, patience=0)) if is_wanted else None
            yield from rest
            if is_last:
                return
            answer = _arrived(coming) or next_page()

    def _page(
        self,
        project: int,
        filters: Sequence[JsonObject],
        fields: Sequence[str],
        depth: str,
        size: int,
        ordering: str = "tasks:id",
        patience: float | None = None,
    ) -> JsonObject:
        query = {"filters": joined(filters), "ordering": [ordering]}
        return self._calls.object(
            "GET",
            "/api/tasks/",
            params={
                "project": project,
                "query": json.dumps(query, separators=(",", ":")),
                "fields": depth,
                "include": ",".join(fields),
                "page_size": size,
                "resolve_uri": "false",
            },
            timeout=_LIST_SECONDS,
            patience=patience,
        )

    def _upload(self, project: int, files: dict[str, Any]) -> list[int]:
        answer = self._calls.object(
            "POST",
            f"/api/projects/{project}/import",
            params={"return_task_ids": "true"},
            files=files,
            timeout=_IMPORT_SECONDS,
        )
        return [int(task) for task in answer.get("task_ids", ())]


def _arrived(coming: Future[JsonObject] | None) -> JsonObject | None:
    """Wait for a page that was asked for; None if there is none or the server is away."""
    with suppress(Unreachable):
        return coming.result() if coming else None


def _id_filters(ids: Sequence[int]) -> Iterator[tuple[Collection[int], JsonObject]]:
    """Yield sets of these sorted ids, each with a filter that matches few other tasks.

    A range where at least half of its numbers are wanted, else a list.
    """
    start = 0
    while start < len(ids):
        many = ids[start : start + _IDS_PER_RANGE]
        is_dense = len(many) > IDS_PER_QUERY and many[-1] - many[0] < 2 * len(many)
        part = many if is_dense else many[:IDS_PER_QUERY]
        limit = _in_range((part[0], part[-1])) if is_dense else [where("id", "in_list", part)]
        yield set(part), limit[0]
        start += len(part)


def _part(path: Path, opened: ExitStack) -> tuple[str, Any, str]:
    """The name, open file and media type of one part of a multipart upload."""
    try:
        content = opened.enter_context(path.open("rb"))
    except OSError as exc:
        raise FetchFailed(f"{path} cannot be read: {exc.strerror}") from exc
    return path.name, content, mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _changed_after(moment: datetime | None) -> list[JsonObject]:
    return [where("updated_at", "greater", moment)] if moment else []


def _in_range(ids: tuple[int, int] | None) -> list[JsonObject]:
    return [where("id", "in", {"min": ids[0], "max": ids[1]})] if ids else []


def _moment(annotation: JsonObject) -> str:
    return str(annotation["updated_at"])


def _is_skip(annotation: JsonObject) -> bool:
    return bool(annotation.get("was_cancelled"))


def _versions(row: JsonObject) -> list[str]:
    """The model versions of a row: joined with commas on SQLite, `, ` on PostgreSQL."""
    return [name.strip() for name in (row.get("predictions_model_versions") or "").split(",")]
