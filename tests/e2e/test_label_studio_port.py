"""The gateway keeps the contract of the port, in front of a real Label Studio."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.domain.answers import LabeledImage
from backend.domain.ids import ProjectId, TaskId
from backend.label_studio import labeling_config
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.labeled_copies import LabeledCopies
from backend.stores.task_copies import TaskCopyFiles
from connectors.label_studio.client import LabelStudioClient
from tests.contract.label_studio_port import LabelStudioContract
from tests.e2e.conftest import CHOICES
from tests.e2e.label_studio_api import delete_tasks, import_tasks


def choice(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    return [{"from_name": "kind", "to_name": "image", "type": "choices", "value": value}]


@dataclass
class RealScene:
    """Implements `tests.contract.label_studio_port.Scene`."""

    client: LabelStudioClient
    project: ProjectId
    tasks: Sequence[TaskId]
    copies: LabeledCopies | None = None

    @property
    def label_studio(self) -> LabelStudioGateway:
        return LabelStudioGateway(self.client, self.copies)

    def annotate(self, task: TaskId, label: str) -> None:
        self.client.annotations.create(task, choice(label))

    def skip(self, task: TaskId) -> None:
        self.client.annotations.create(task, [], was_cancelled=True)

    def delete(self, task: TaskId) -> None:
        delete_tasks(self.client, self.project, [task])

    def correct(self, task: TaskId, label: str) -> None:
        (annotation,) = self.client.annotations.of_task(task)
        path = f"/api/annotations/{annotation['id']}/"
        self.client.http.request_json("PATCH", path, json={"result": choice(label)})

    def draft(self, task: TaskId) -> None:
        (annotation,) = self.client.annotations.of_task(task)
        path = f"/api/tasks/{task}/annotations/{annotation['id']}/drafts"
        self.client.http.request_json("POST", path, json={"result": choice("dog")})

    def annotate_as_opened(self, task: TaskId, label: str) -> None:
        (first, *_) = self.client.http.request_json("GET", f"/api/tasks/{task}/")["predictions"]
        self.client.annotations.create(task, choice(label), parent_prediction=first["id"])

    def listed(self, title: str) -> Sequence[TaskId]:
        (tab,) = [
            one for one in self.client.tabs.all(self.project) if one["data"]["title"] == title
        ]
        page = {"view": tab["id"], "page_size": 100, "resolve_uri": "false"}
        found = self.client.http.request_json("GET", "/api/tasks/", params=page)["tasks"]
        return [TaskId(one["id"]) for one in found]

    def tab_titles(self) -> set[str]:
        return {tab["data"]["title"] for tab in self.client.tabs.all(self.project)}


class TestLabelStudioGateway(LabelStudioContract):
    @pytest.fixture
    def scene(self, client: LabelStudioClient, project: int, tmp_path: Path) -> RealScene:
        data = [{"image": f"http://images.test/{number}.jpg"} for number in range(6)]
        tasks = [TaskId(task) for task in import_tasks(client, project, data)]
        copies = LabeledCopies(client, TaskCopyFiles(tmp_path))
        return RealScene(client, ProjectId(project), tasks, copies)


def test_a_job_reads_annotations_that_an_action_moved_to_another_task(client, project, tmp_path):
    gateway = LabelStudioGateway(client, LabeledCopies(client, TaskCopyFiles(tmp_path)))

    def labeled() -> dict[int, tuple[str, ...]]:
        found = gateway.labeled(ProjectId(project), labeling_config.parse(CHOICES))
        return {one.image.task: answered(one) for one in found}

    first, second = import_tasks(client, project, [{"image": "http://images.test/1.jpg"}] * 2)
    client.annotations.create(second, choice("cat"))
    client.annotations.create(first, choice("dog"))
    assert labeled() == {first: ("dog",), second: ("cat",)}
    everything = {"all": True, "excluded": []}
    client.http.request_json(
        "POST",
        "/api/dm/actions/",
        params={"project": project, "id": "remove_duplicates"},
        json={"project": project, "selectedItems": everything},
    )
    fresh = LabelStudioGateway(client).labeled(ProjectId(project), labeling_config.parse(CHOICES))
    assert labeled() == {one.image.task: answered(one) for one in fresh}
    assert list(labeled()) == [first]


def answered(image: LabeledImage) -> tuple[str, ...]:
    (answer,) = image.answers.values()
    return tuple(answer.labels)
