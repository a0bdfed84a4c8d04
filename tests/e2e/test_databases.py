"""The core of it all on PostgreSQL; the other tests run on SQLite."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from backend.policies.switches import RECOUNT_LESS
from backend.processes.label_studio_server import LabelStudioProcess
from connectors.label_studio.client import LabelStudioClient
from tests.e2e import postgresql
from tests.e2e.autolabel import JOB_SECONDS, Autolabel, settings_for
from tests.e2e.digits import LABELS, DigitProject, annotate, new_project
from tests.e2e.label_studio import running
from tests.e2e.rounds import newest_job, shown
from tests.e2e.texts_of_results import assert_each_is_found
from tests.fakes.domain import CHOICES
from tests.integration.polling import eventually

ACCEPT = ("--accept", "--max-error", 0.3, "--confidence", 0.8)
PER_CLASS, ANNOTATED = 40, 15


@dataclass(frozen=True)
class Site:
    """A Label Studio on PostgreSQL, and a backend beside it."""

    label_studio: LabelStudioProcess
    autolabel: Autolabel


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("postgresql")
    with (
        postgresql.running() as database,
        running(folder / "label-studio", **database, **{RECOUNT_LESS: "true"}) as studio,
        Autolabel(settings_for(studio, folder / "data")).running() as ours,
    ):
        yield Site(studio, ours)


@pytest.fixture
def client(site: Site) -> Iterator[LabelStudioClient]:
    studio = site.label_studio
    with LabelStudioClient(studio.url, studio.token, patience=30) as client:
        yield client


@pytest.fixture
def digits(client: LabelStudioClient, tmp_path_factory: pytest.TempPathFactory) -> DigitProject:
    """A project of digits, some of each class annotated."""
    folder = tmp_path_factory.mktemp("databases")
    return new_project(client, folder, PER_CLASS, labeled=dict.fromkeys(LABELS, ANNOTATED))


def test_label_studio_tells_that_it_recounts_only_the_tasks_of_an_import(
    client: LabelStudioClient, digits: DigitProject
):
    assert not client.prediction_import.recounts_all(digits.id)
    assert client.predictions.versions(digits.id) == {}


def test_tasks_are_found_by_any_label(client: LabelStudioClient):
    assert_each_is_found(client, client.projects.create("labels", CHOICES)["id"])


def test_connect_predict_list_in_order_accept_and_undo(
    site: Site, client: LabelStudioClient, digits: DigitProject
):
    ours = site.autolabel
    assert ours.run("connect", digits.id).returncode == 0

    drawn = ours.json("label", digits.id, *ACCEPT)
    assert drawn["state"] == "finished", drawn["reason"]
    now = shown(client, digits.id)
    audit = now.tabs["Audit"]
    waiting = len(digits.truth) - ANNOTATED * len(LABELS) - len(audit)
    assert now.model_version == drawn["version"]
    assert len(now.predictions) == len(now.tabs["To be confirmed"]) == waiting
    scores = {one["task"]: one["score"] for one in now.predictions}
    assert {task: score for task, score in now.by_score if score is not None} == pytest.approx(
        scores
    )
    hardness = {one["task"]: one["result"][0]["id"] for one in now.predictions}
    # PostgreSQL puts the tasks with a marker behind the others (docs/decisions/lists-as-markers.md)
    marked = set(now.tabs["Label next"])
    listed = [(task not in marked, hardness[task]) for task in now.tabs["Hard examples"]]
    assert listed == sorted(listed, reverse=True)
    assert listed

    suggested = ours.json("suggest", digits.id, "--count", 12)
    picks = [one["task"] for one in suggested["report"]["picks"]]
    # PostgreSQL adds up the model versions of a task, which order the list, in any order
    assert sorted(shown(client, digits.id).tabs["Label next"]) == sorted(picks)
    # and joins them in its own way: the picks have a prediction and a marker
    predicted = client.tasks.predicted_ids(digits.id, drawn["version"])
    assert predicted == {one["task"] for one in now.predictions}

    annotate(client, digits, audit)
    # the last label of an audit starts the job that accepts
    eventually(lambda: newest_job(ours, digits.id) != suggested["id"], JOB_SECONDS)
    accepted = ours.job_ended(newest_job(ours, digits.id))
    count = accepted["report"]["accepted"]
    assert count > 0, accepted["reason"]
    assert client.tasks.count_unlabeled(digits.id) == waiting - count
    undone = ours.json("undo", accepted["id"])
    assert undone["state"] == "finished", undone["reason"]
    assert client.tasks.count_unlabeled(digits.id) == waiting
