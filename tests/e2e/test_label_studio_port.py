"""The gateway keeps the contract of the port, in front of a real Label Studio."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.domain.answers import LabeledImage
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.label_studio import labeling_config
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.labeled_copies import LabeledCopies
from backend.stores.task_copies import TaskCopyFiles
from connectors.label_studio.calls import Calls
from connectors.label_studio.client import LabelStudioClient
from tests.contract.label_studio_port import LabelStudioContract
from tests.e2e.conftest import CHOICES
from tests.e2e.label_studio_api import create_prediction, delete_tasks, import_tasks

RENAMED = {"control_tag": "kind", "old_label_name": "cat", "new_label_name": "dog"}
NEW_IMAGE = {"value_name": "image", "value_type": "String", "value": "http://images.test/new.jpg"}


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


def test_a_job_reads_whatever_an_action_changed(client, project, tmp_path):
    # given copies of labeled tasks, two of them with the same image
    images = [{"image": f"http://images.test/{number}.jpg"} for number in (1, 1, 2, 3, 4, 5)]
    tasks = import_tasks(client, project, images)
    notes = [client.annotations.create(task, choice("cat"))["id"] for task in tasks[:4]]
    copies = LabeledCopies(client, TaskCopyFiles(tmp_path))
    before = labeled(LabelStudioGateway(client, copies), project)
    calls = Calls(client.http)
    for action, chosen, options in (
        ("propagate_annotations", tasks[2:4], {"source_annotation_id": notes[0]}),
        ("remove_duplicates", tasks, {}),
        ("rename_labels", tasks, RENAMED),
        ("add_data_field", tasks[2:], NEW_IMAGE),
        ("delete_tasks_annotations", tasks[3:4], {}),
        ("delete_tasks", tasks[2:3], {}),
    ):
        # when an action of the Data Manager changes some
        calls.action(project, action, chosen, **options)
        # then a job reads them as if there were no copies
        found = labeled(LabelStudioGateway(client, copies), project)
        assert found == labeled(LabelStudioGateway(client), project), action
        assert found != before, action
        before = found


def test_accepted_labels_are_kept_as_they_would_be_read(client, project, tmp_path):
    files, number = TaskCopyFiles(tmp_path), ProjectId(project)
    gateway = LabelStudioGateway(client, LabeledCopies(client, files))
    tasks = [TaskId(task) for task in import_tasks(client, project, [{"image": "/1.jpg"}] * 2)]
    version = VersionName("al-0001-aaaa")
    for task in tasks:
        create_prediction(client, task, choice("cat"), model_version=version, score=0.9)
    assert set(gateway.accept(number, version, tasks)) == set(tasks)
    listed = {task["id"]: task for task in client.tasks.labeled(project)}
    kept = files.between(number, tasks[0], tasks[-1])
    assert kept == {
        task: {name: found[name] for name in kept[task]} for task, found in listed.items()
    }


def labeled(gateway: LabelStudioGateway, project: int) -> list[LabeledImage]:
    return list(gateway.labeled(ProjectId(project), labeling_config.parse(CHOICES)))
