"""Label operations on a real Label Studio: what changes, what stays, and that all returns."""

import pytest

from backend.domain.ids import ProjectId
from backend.domain.jobs import JobRequest, JobState, Mode
from backend.domain.label_edits import LabelChange, LabelEdit
from backend.label_studio import label_config_edit
from backend.label_studio.gateway import LabelStudioGateway
from backend.use_cases import use_cases
from connectors.label_studio.calls import Calls
from tests.e2e.label_studio_api import import_tasks
from tests.e2e.texts_of_results import assert_each_is_found
from tests.fakes.domain import a_job
from tests.fakes.steps import FakeSteps
from tests.fakes.world import parts_in

MADE_BY = "al-0001-aaaa"
CAT_TO_LYNX = LabelEdit(LabelChange.RENAME, ("cat",), "lynx")


def chosen(label):
    value = {"choices": [label]}
    return [{"id": "c", "from_name": "kind", "to_name": "image", "type": "choices", "value": value}]


class Labeled:
    """Two cats, one of them skipped, a dog, a prediction and a draft of a cat."""

    def __init__(self, client, project, folder):
        self.client, self.project = client, project
        data = [{"image": f"http://images.test/{number}.jpg"} for number in range(5)]
        tasks = import_tasks(client, project, data)
        client.annotations.create(tasks[0], chosen("cat"), lead_time=3.5)
        client.annotations.create(tasks[1], chosen("dog"), ground_truth=True)
        client.annotations.create(tasks[2], chosen("cat"), was_cancelled=True)
        prediction = {"task": tasks[3], "model_version": MADE_BY, "score": 0.5}
        client.prediction_import.store(project, [{**prediction, "result": chosen("cat")}])
        self.drafted = tasks[4]
        draft = {"result": chosen("cat"), "lead_time": 1}
        Calls(client.http).object("POST", f"/api/tasks/{tasks[4]}/drafts", json=draft)
        self.cases = use_cases(parts_in(folder, LabelStudioGateway(client)))
        self.jobs = 0

    def run(self, edit):
        self.jobs += 1
        request = JobRequest(ProjectId(self.project), Mode.RELABELING, edit=edit)
        job = a_job(f"job-{self.jobs}", JobState.RUNNING, self.project, request=request)
        return self.cases.work(Mode.RELABELING)(job, FakeSteps())

    def content(self):
        """Config, annotations, predictions and drafts, without who changed them when."""
        tasks = list(self.client.results.tasks(self.project))
        for task in tasks:
            for one in (*task["annotations"], *task["predictions"]):
                for changing in ("updated_at", "updated_by", "created_ago"):
                    one.pop(changing, None)
            for changing in ("updated_at", "updated_by"):
                task.pop(changing, None)
        drafts = [one.result for one in self.client.results.drafts(self.project)]
        return self.config, tasks, drafts

    @property
    def config(self):
        return self.client.projects.get(self.project)["label_config"]

    def labels(self):
        used = self.cases.label_planner.used(ProjectId(self.project), lambda done: None)
        return {one.label: (one.annotations, one.drafts, one.predictions) for one in used}


@pytest.fixture
def labeled(client, project, tmp_path):
    return Labeled(client, project, tmp_path)


def test_a_label_changes_everywhere_and_comes_back_exactly(labeled):
    before = labeled.content()
    labeled.run(CAT_TO_LYNX)
    assert label_config_edit.labels(labeled.config) == {"kind": ("lynx", "dog")}
    assert labeled.labels() == {"lynx": (2, 1, 1), "dog": (1, 0, 0)}
    # its settings page accepts the config: no label is counted that is not used any more
    path = f"/api/projects/{labeled.project}/validate/"
    Calls(labeled.client.http).object("POST", path, json={"label_config": labeled.config})
    labeled.run(LabelEdit(LabelChange.RESTORE, backup="job-1"))
    assert labeled.content() == before


def test_a_label_is_deleted_with_its_images(labeled):
    labeled.run(LabelEdit(LabelChange.DELETE, ("cat",), with_images=True))
    assert label_config_edit.labels(labeled.config) == {"kind": ("dog",)}
    assert labeled.labels() == {"dog": (1, 0, 0)}
    assert len(labeled.content()[1]) == 3
    labeled.run(LabelEdit(LabelChange.RESTORE, backup="job-1"))
    assert labeled.labels() == {"cat": (2, 1, 1), "dog": (1, 0, 0)}


def test_tasks_are_found_by_any_label(client, project):
    assert_each_is_found(client, project)
