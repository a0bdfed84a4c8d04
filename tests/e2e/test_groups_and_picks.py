"""Grouping and suggesting, as people meet them in Label Studio."""

from collections import Counter

import pytest

from backend.domain.answers import Choices, ImageRef, Prediction
from backend.domain.ids import ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.version_names import GROUP_NAME, list_edition_of
from backend.label_studio import codec, labeling_config
from backend.label_studio.gateway import LabelStudioGateway
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.digits import LABELS, annotate, new_project
from tests.e2e.label_studio_api import set_sampling
from tests.e2e.rounds import shown
from tests.integration.polling import eventually

NEXT = "Label next"


@pytest.fixture(scope="module")
def digits(label_studio, autolabel, tmp_path_factory):
    """A connected project of 80 digits, nothing labeled."""
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        project = new_project(client, tmp_path_factory.mktemp("grouped"), per_class=20)
    assert autolabel.run("connect", project.id).returncode == 0
    return project


@pytest.fixture(scope="module")
def first_wall(digits, label_studio, autolabel):
    """The tab that an idle worker makes after `connect`, and the whole of what it lists."""
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:

        def wall():
            return [tab for tab in client.tabs.all(digits.id) if tab["data"]["title"] == NEXT]

        (tab,) = eventually(wall, seconds=120)
        return tab, shown(client, digits.id)


@pytest.fixture(scope="module")
def first_groups(first_wall, digits, label_studio, autolabel):
    """The report of a grouping into ten, and what people saw without the marks of the wall."""
    job = autolabel.json("group", digits.id, "--groups", 10)
    assert job["state"] == "finished", job["reason"]
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        eventually(lambda: not marks(client, digits.id), seconds=240)
        return job["report"]["groups"], shown(client, digits.id)


@pytest.fixture(scope="module")
def trained(first_groups, digits, label_studio, autolabel):
    """The same project after eight of each class were annotated and a job ran."""
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        annotate(client, digits, digits.some(dict.fromkeys(LABELS, 8)))
        job = autolabel.json("label", digits.id)
        assert job["state"] == "finished", job["reason"]
        return job, shown(client, digits.id)


def test_a_connected_project_shows_what_to_label_first_as_a_wall(first_wall, digits, autolabel):
    tab, seen = first_wall
    assert (tab["data"]["type"], tab["data"]["gridWidth"]) == ("grid", 6)
    assert len(seen.tabs[NEXT]) == len(set(seen.tabs[NEXT])) == 40
    assert {digits.truth[task] for task in seen.tabs[NEXT]} == set(LABELS)
    status = autolabel.json("status", digits.id)
    assert status["missing"] == 10
    assert "At least 10 labeled images are missing until the first training." in status["summary"]


def test_a_group_is_a_column_of_the_data_manager_that_orders_and_filters(
    first_groups, digits, client
):
    groups, seen = first_groups
    assert {one["name"]: one["images"] for one in groups} == carried(seen)
    assert all(GROUP_NAME.fullmatch(name) for name in carried(seen))
    assert sum(carried(seen).values()) == 80
    column = [name for _, name in in_groups(client, digits.id)]
    assert sorted(seen.tabs["Groups"]) == sorted(digits.truth)
    assert column == sorted(column)
    assert Counter(column) == carried(seen)


def test_most_images_of_a_group_show_the_same(first_groups, digits, client):
    _, seen = first_groups
    pairs = [(name, digits.truth[task]) for task, name in in_groups(client, digits.id)]
    largest = [
        max(sum(pair == (name, label) for pair in pairs) for label in LABELS)
        for name in carried(seen)
    ]
    assert sum(largest) / len(pairs) > 0.6  # by chance about 0.4


def test_groups_are_nothing_to_confirm_and_no_version_to_show(first_groups):
    _, seen = first_groups
    assert seen.tabs["To be confirmed"] == []
    assert GROUP_NAME.fullmatch(seen.model_version) is None
    assert all(score is None for _, score in seen.by_score)


def test_training_beside_groups_confirms_and_scores_as_without_them(trained, digits):
    job, seen = trained
    waiting = len(digits.truth) - 32
    assert seen.model_version == job["version"]
    assert seen.versions[job["version"]] == waiting
    assert len(seen.tabs["To be confirmed"]) == len(set(seen.tabs["To be confirmed"])) == waiting
    assert len(seen.tabs["Groups"]) == waiting
    scores = {one["task"]: one["score"] for one in seen.predictions}
    assert dict(seen.by_score) == pytest.approx(scores)


def test_grouping_again_replaces_the_groups_and_nothing_else(trained, digits, autolabel, client):
    job, before = trained
    again = autolabel.json("group", digits.id, "--groups", 3)
    assert again["state"] == "finished", again["reason"]
    now = shown(client, digits.id)
    assert set(carried(now)) == {"group-001", "group-002", "group-003", job["version"]}
    assert now.model_version == before.model_version
    assert now.by_score == before.by_score
    assert now.tabs["To be confirmed"] == before.tabs["To be confirmed"]


def test_suggestions_are_a_tab_and_clusters_for_uncertainty_sampling(
    trained, digits, autolabel, client
):
    trained_job, _ = trained
    set_sampling(client, digits.id, "Uncertainty sampling")
    job = autolabel.json("suggest", digits.id, "--count", 12)
    assert job["state"] == "finished", job["reason"]
    picks = {one["task"]: one["cluster"] for one in job["report"]["picks"]}
    assert len(picks) == 12
    now = shown(client, digits.id)
    assert set(now.tabs["Label next"]) == set(picks)
    clusters = {one["task"]: one["cluster"] for one in now.predictions}
    assert {task: clusters[task] for task in picks} == picks
    assert now.versions[trained_job["version"]] == len(now.predictions), "none came twice"


def test_without_a_model_typical_images_are_suggested(autolabel, client, tmp_path):
    project = new_project(client, tmp_path, per_class=10)
    job = autolabel.json("suggest", project.id, "--count", 8)
    assert job["state"] == "finished", job["reason"]
    tabs = shown(client, project.id).tabs
    assert len(tabs["Label next"]) == 8
    labels = {project.truth[task] for task in tabs["Label next"]}
    assert len(labels) >= 3, "typical images come from all over the project"


def test_more_groups_than_can_be_shown_are_refused(digits, autolabel):
    done = autolabel.run("group", digits.id, "--groups", 201)
    assert done.returncode == 2
    assert "groups" in done.stderr


def test_a_prediction_pushed_with_a_cluster_keeps_it(client, tmp_path):
    project = new_project(client, tmp_path, per_class=2)
    schema = labeling_config.parse(client.projects.get(project.id)["label_config"])
    version = VersionName("al-0001-aaaa")
    answers = {ControlName("digit"): Choices((Label("1"),))}
    predictions = [
        Prediction(ImageRef(TaskId(task), ""), answers, 0.5, version, cluster=place or None)
        for place, task in enumerate(project.truth)
    ]
    LabelStudioGateway(client).push(ProjectId(project.id), codec.serialized(predictions, schema))
    found = {
        one["task"]: one["cluster"] for one in client.predictions.of_version(project.id, version)
    }
    assert found == {task: place or None for place, task in enumerate(project.truth)}


def marks(client, project):
    """How many predictions only mark the tasks of a list."""
    versions = client.predictions.versions(project)
    return sum(count for name, count in versions.items() if list_edition_of(name))


def carried(seen):
    """How many predictions there are of each version that has any, but for marks of lists."""
    found = {name: count for name, count in seen.versions.items() if count}
    return {name: count for name, count in found.items() if list_edition_of(name) is None}


def in_groups(client, project):
    """(task, column "Prediction model versions") as the tab lists them."""
    (tab,) = [tab for tab in client.tabs.all(project) if tab["data"]["title"] == "Groups"]
    page = {"view": tab["id"], "page_size": 1000, "resolve_uri": "false"}
    found = client.http.request_json("GET", "/api/tasks/", params=page)["tasks"]
    return [(task["id"], task["predictions_model_versions"]) for task in found]
