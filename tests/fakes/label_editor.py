"""Tasks with their annotations, drafts and predictions as Label Studio's JSON, in memory."""

import copy
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.ids import Label, ProjectId, TaskId
from backend.domain.json import Json
from backend.label_studio import label_config_edit, result_edit
from backend.ports.label_studio import ResultOf, StoredResult, TaskResults, TaskSummary
from tests.fakes.label_studio import FakeLabelStudio

OWNER = 1
"""Id of the token's owner."""


class FakeLabelEditor(FakeLabelStudio):
    """Implements `backend.ports.label_studio.LabelEditor`.

    A config that lacks a label in use is refused, as a strict Label Studio does. `before_change` is
    called with the number of the change before each is stored; it may raise. `counted` has numbers
    of annotations that are counted wrongly, by task.
    """

    def __init__(self, label_config: str) -> None:
        super().__init__(label_config)
        self.contents: dict[int, dict[str, Any]] = {}
        self.unsaved: dict[int, dict[str, Any]] = {}
        self.before_change: Callable[[int], object] = lambda number: None
        self.configs: list[str] = []
        self.counted: dict[int, int] = {}
        self.recounts = 0
        self._changes = 0
        self._last = 0

    def add_task(self, *results: Sequence[Json], image: str = "", **fields: Any) -> int:
        """Add a task with an annotation of a person for each result; returns its id."""
        task = self._next()
        uri = image or f"/data/upload/{task}.png"
        self.contents[task] = {"id": task, "data": {"image": uri}, "annotations": []}
        self.contents[task]["predictions"] = []
        for result in results:
            self.annotate(task, result, **fields)
        return task

    def annotate(self, task: int, result: Sequence[Json], **fields: Any) -> int:
        row = {"lead_time": 4.2, "updated_by": None, "completed_by": 7, "updated_at": "then"}
        return self._add(self.contents[task]["annotations"], {**row, **fields, "result": result})

    def predict(self, task: int, result: Sequence[Json], version: str) -> int:
        row = {"model_version": version, "score": 0.5, "result": result}
        return self._add(self.contents[task]["predictions"], row)

    def draft(self, task: int, result: Sequence[Json]) -> int:
        number = self._next()
        self.unsaved[number] = {"id": number, "task": task, "result": list(result)}
        return number

    def task_results(
        self, project: ProjectId, labels: Collection[Label] = ()
    ) -> Iterator[TaskResults]:
        for content in copy.deepcopy(list(self.contents.values())):
            if labels and not any(f'"{label}"' in json.dumps(content) for label in labels):
                continue
            results = tuple(
                StoredResult(of, one["id"], TaskId(content["id"]), one["result"])
                for of in (ResultOf.ANNOTATION, ResultOf.PREDICTION)
                for one in content[of.value]
            )
            yield TaskResults(TaskId(content["id"]), content, results)

    def results_among(self, project: ProjectId, tasks: Collection[TaskId]) -> Iterator[TaskResults]:
        return (one for one in self.task_results(project) if one.task in tasks)

    def task_summaries(self, project: ProjectId) -> Iterator[TaskSummary]:
        for one in self.task_results(project):
            content = {"id": one.task, "data": one.content["data"]}
            count = self.counted.get(one.task, len(one.content["annotations"]))
            yield TaskSummary(one.task, content, count)

    def draft_results(self, project: ProjectId) -> Iterator[StoredResult]:
        for one in copy.deepcopy(list(self.unsaved.values())):
            yield StoredResult(ResultOf.DRAFT, one["id"], TaskId(one["task"]), one["result"])

    def current_result(self, listed: StoredResult) -> StoredResult | None:
        row = self._find(listed)
        return None if row is None else replace(listed, result=copy.deepcopy(row["result"]))

    def change_result(self, changed: StoredResult) -> str | None:
        self._changes += 1
        self.before_change(self._changes)
        row = self._find(changed)
        if row is None:
            return None
        row["result"] = [dict(part) for part in changed.result]
        moment = f"change {self._changes}"
        if changed.of is ResultOf.ANNOTATION:
            row |= {"updated_by": OWNER, "updated_at": moment}
        return moment

    def set_label_config(self, project: ProjectId, label_config: str) -> None:
        labels = {one for of in label_config_edit.labels(label_config).values() for one in of}
        used = {
            label
            for content in self.contents.values()
            for one in content["annotations"]
            for label in result_edit.labels_of(one["result"])
        }
        known = {one for of in label_config_edit.labels(self.label_config).values() for one in of}
        if (used & known) - labels:
            raise BadInput(f"These labels still exist in annotations: {used - labels}")
        self.configs.append(label_config)
        self.label_config = label_config

    def recount_labels(self, project: ProjectId) -> None:
        self.recounts += 1

    def delete_tasks(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        for task in tasks:
            self.contents.pop(int(task), None)

    def import_tasks(self, project: ProjectId, contents: Sequence[Json]) -> Sequence[TaskId]:
        made = list[TaskId]()
        for content in contents:
            task = self._next()
            rows = copy.deepcopy(list(content["annotations"]))
            numbered = [{"id": self._next(), **row} for row in rows]
            copied = copy.deepcopy(dict(content))
            self.contents[task] = {**copied, "id": task, "annotations": numbered}
            made.append(TaskId(task))
        return made

    def _find(self, wanted: StoredResult) -> dict[str, Any] | None:
        if wanted.of is ResultOf.DRAFT:
            return self.unsaved.get(wanted.id)
        rows = [row for content in self.contents.values() for row in content[wanted.of.value]]
        return next((row for row in rows if row["id"] == wanted.id), None)

    def _add(self, rows: list[dict[str, Any]], row: dict[str, Any]) -> int:
        number = self._next()
        rows.append({"id": number, **copy.deepcopy(row)})
        return number

    def _next(self) -> int:
        self._last += 1
        return self._last
