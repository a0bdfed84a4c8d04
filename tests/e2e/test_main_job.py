"""The main job as people live it: connect, annotate, Start Training, confirm, train again."""

import re
from functools import partial
from itertools import groupby

import pytest

from backend.domain.ids import ProjectId
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.redis_keys import RedisKeys
from backend.processes.embedded_redis import redis_url
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.digits import LABELS, new_project
from tests.e2e.label_studio_api import import_tasks
from tests.e2e.rounds import Round, newest_job, shown, start_training
from tests.fakes.texts import TEXTS, sentence
from tests.integration.polling import eventually

TABS = ["To be confirmed", "Hard examples", "Labeled", "Unlabeled"]
SURE = 40
"""Predictions confirmed in bulk: those with the highest scores."""


def changes(autolabel, project):
    """How many changed annotations the webhooks told us of."""
    settings = autolabel.settings
    counter = AnnotationCounter(partial(redis_url, settings), RedisKeys(settings.data_dir))
    return counter.read(ProjectId(project.id)).count


@pytest.fixture(scope="module")
def confirmed_round(first_round, label_studio, autolabel, tmp_path_factory):
    """A second project, of which the surest predictions were confirmed, and trained again.

    Returns the changes counted before and after confirming, and the round before and after.
    """
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        folder, labeled = tmp_path_factory.mktemp("confirmed"), dict.fromkeys(LABELS, 8)
        project = new_project(client, folder, per_class=30, labeled=labeled)
        chosen = project.some(labeled)
        assert autolabel.run("connect", project.id).returncode == 0
        job = autolabel.json("label", project.id)
        before = Round(project, frozenset(chosen), job, shown(client, project.id))
        counted = changes(autolabel, project)
        sure = [task for task, _ in before.shown.by_score[-SURE:]]
        client.acceptance.accept(project.id, before.version, sure)
        eventually(lambda: changes(autolabel, project) > counted)
        told = changes(autolabel, project) - counted
        job = autolabel.json("label", project.id)
        after = Round(project, before.annotated | set(sure), job, shown(client, project.id))
        yield told, before, after


def test_start_training_runs_one_job_to_its_end(first_round: Round):
    assert first_round.job["state"] == "finished", first_round.job["reason"]
    assert first_round.job["mode"] == "active-learning"
    assert first_round.report["labeled"] == 32
    assert first_round.report["predicted"] == first_round.report["unlabeled"] == 88
    assert first_round.report["unreadable"] == []


def _is_list(version: str) -> bool:
    """Whether predictions of this name only mark the tasks of a tab."""
    return version.startswith("list-")


def test_every_waiting_task_has_one_prediction_with_a_score_between_0_and_1(first_round: Round):
    predictions = first_round.shown.predictions
    assert {one["task"] for one in predictions} == first_round.waiting
    assert len(predictions) == len(first_round.waiting)
    assert all(0 <= one["score"] <= 1 for one in predictions)
    made = {name: count for name, count in first_round.shown.versions.items() if not _is_list(name)}
    assert made == {first_round.version: 88}


def test_the_predictions_are_right_far_more_often_than_chance(first_round: Round):
    right = [
        one["result"][0]["value"]["choices"] == [first_round.project.truth[one["task"]]]
        for one in first_round.shown.predictions
    ]
    assert sum(right) / len(right) > 0.6


def test_the_data_manager_shows_the_scores_and_orders_by_them(first_round: Round):
    assert first_round.shown.model_version == first_round.version
    scores = {one["task"]: one["score"] for one in first_round.shown.predictions}
    assert dict(first_round.shown.by_score) == pytest.approx(scores)
    column = [score for _, score in first_round.shown.by_score]
    assert column == sorted(column)


def test_hard_examples_say_why_and_their_tab_lists_exactly_them(first_round: Round):
    marked = {
        one["task"]: one["result"][0]["meta"]["text"][0]
        for one in first_round.shown.predictions
        if "meta" in one["result"][0]
    }
    assert marked
    assert len(marked) == first_round.report["hard"]
    assert all(re.match(r"hard [01]\.\d\d: \w", text) for text in marked.values())
    assert sorted(first_round.shown.tabs["Hard examples"]) == sorted(marked)


def test_the_tabs_are_there_and_list_what_their_titles_say(first_round: Round):
    tabs = first_round.shown.tabs
    assert [title for title in tabs if title in TABS] == TABS
    hard = list(tabs["Hard examples"])
    assert tabs["To be confirmed"][: len(hard)] == hard
    assert set(tabs["To be confirmed"]) == first_round.waiting
    assert set(tabs["Labeled"]) == first_round.annotated
    assert set(tabs["Unlabeled"]) == first_round.waiting


def test_each_predicted_label_has_a_wall_of_its_images_the_surest_first(first_round: Round):
    surest_first = [task for task, _ in reversed(first_round.shown.by_score)]
    scores = dict(first_round.shown.by_score)
    predicted = {
        one["task"]: one["result"][0]["value"]["choices"][0]
        for one in first_round.shown.predictions
    }
    walls = {
        title: tasks
        for title, tasks in first_round.shown.tabs.items()
        if title.startswith("Confirm: ")
    }
    assert set(walls) == {f"Confirm: {label}" for label in predicted.values()}
    for title, tasks in walls.items():
        expected = [task for task in surest_first if f"Confirm: {predicted[task]}" == title]
        assert sorted(tasks) == sorted(expected)
        assert [scores[task] for task in tasks] == [scores[task] for task in expected]


def test_the_rest_of_what_is_to_be_confirmed_keeps_equal_answers_together(first_round: Round):
    predicted = {
        one["task"]: one["result"][0]["value"]["choices"][0]
        for one in first_round.shown.predictions
    }
    hard = set(first_round.shown.tabs["Hard examples"])
    listed = first_round.shown.tabs["To be confirmed"]
    rest = [predicted[task] for task in listed if task not in hard]
    assert rest
    assert len(list(groupby(rest))) == len(set(rest))


def test_confirming_in_bulk_reaches_us_through_the_webhook(confirmed_round):
    told, _, _ = confirmed_round
    assert told == SURE


def test_training_again_learns_from_what_was_confirmed(confirmed_round):
    _, _, after = confirmed_round
    assert after.job["state"] == "finished", after.job["reason"]
    assert after.report["labeled"] == 32 + SURE
    assert after.report["predicted"] == 88 - SURE


def test_predictions_of_the_old_version_are_gone_and_the_new_one_is_shown(confirmed_round):
    _, before, after = confirmed_round
    assert after.version != before.version
    assert after.shown.model_version == after.version
    assert after.version in after.shown.versions
    assert before.version not in after.shown.versions
    assert set(after.shown.tabs["Unlabeled"]) == after.waiting


def test_pre_labeling_shows_an_earlier_version_again(confirmed_round, autolabel, client):
    _, before, after = confirmed_round
    command = ("label", after.project.id, "--mode", "pre-labeling", "--model", before.version)

    job = autolabel.json(*command)

    assert job["state"] == "finished", job["reason"]
    assert job["report"]["predicted"] == len(after.waiting)
    now = shown(client, after.project.id)
    assert now.model_version == before.version
    assert {one["task"] for one in now.predictions} == after.waiting


def test_texts_are_labeled_like_images_and_listed_in_tables(autolabel, client):
    """A second project in the same scenario: texts in the data, half of them about dogs."""
    project = client.projects.create("texts", TEXTS)["id"]
    data = [{"text": sentence(number)} for number in range(40)]
    animals = [("cat", "dog")[number % 2] for number in range(40)]
    head = {"from_name": "c", "to_name": "t", "type": "choices"}
    given = [{"result": [{**head, "value": {"choices": [animal]}}]} for animal in animals[:16]]
    tasks = import_tasks(client, project, data, given)
    about = dict(zip(tasks, animals, strict=True))
    assert autolabel.run("connect", project).returncode == 0

    job = autolabel.json("label", project)

    assert job["state"] == "finished", job["reason"]
    assert (job["report"]["predicted"], job["report"]["items"]) == (24, "texts")
    assert job["report"]["backbone"].startswith("tfidf:")
    now = shown(client, project)
    found = {one["task"]: one["result"][0]["value"]["choices"] for one in now.predictions}
    assert set(found) == set(tasks[16:])
    assert sum(found[task] == [about[task]] for task in found) > 20
    walls = [tab["data"] for tab in client.tabs.all(project) if "Confirm: " in tab["data"]["title"]]
    assert {tab["title"] for tab in walls} == {"Confirm: cat", "Confirm: dog"}
    assert not [tab for tab in walls if tab.get("type") == "grid"]
    assert sorted(now.tabs["Confirm: dog"]) == sorted(t for t in found if found[t] == ["dog"])
    asked = {"tasks": [{"id": 10**6, "data": {"text": sentence(77)}}], "label_config": TEXTS}
    (new,) = autolabel.call("POST", "/predict", {**asked, "project": str(project)}).json()[
        "results"
    ]
    assert new["result"][0]["value"] == {"choices": ["dog"]}
    screen = autolabel.call("GET", f"/projects/{project}/review/screen").json()["images"]
    assert {one["text"] for one in screen} <= {sentence(number) for number in range(40)}


def test_a_class_short_of_images_is_refused_with_the_reason(autolabel, client, tmp_path):
    project = new_project(client, tmp_path, 8, labels=("0", "1"), labeled={"0": 5, "1": 3})
    assert autolabel.run("connect", project.id).returncode == 0

    pressed = {"action": "START_TRAINING", "project": {"id": project.id}}
    answer = autolabel.call("POST", "/webhook", pressed)
    assert (answer.status_code, answer.reason_phrase) == (409, "class '1' has 3 of 5 images")

    typed = autolabel.run("label", project.id)
    assert typed.returncode == 3
    assert "class '1' has 3 of 5 images" in typed.stderr
    assert "Label 2 more images of '1'" in typed.stderr
    assert autolabel.json("jobs", project.id) == {"jobs": []}

    reasons = autolabel.json("status", project.id)["reasons"]
    assert [(one["code"], one["label"], one["have"], one["need"]) for one in reasons] == [
        ("too_few_images", "1", 3, 5)
    ]


def test_a_second_start_joins_the_job_and_stop_ends_it_with_nothing_changed(
    autolabel, client, tmp_path
):
    project = new_project(client, tmp_path, 10, labels=("0", "1"), labeled={"0": 6, "1": 6})
    assert autolabel.run("connect", project.id).returncode == 0

    jobs = f"/api/projects/{project.id}/jobs"
    first = autolabel.call("POST", jobs, {})
    start_training(client, project.id)
    second = autolabel.call("POST", jobs, {"algorithm": "precise"})
    assert (first.status_code, second.status_code) == (201, 200)
    job = first.json()["job"]["id"]
    assert second.json()["job"]["id"] == newest_job(autolabel, project.id) == job

    eventually(lambda: autolabel.call("GET", f"/api/jobs/{job}").json()["state"] == "running")
    assert autolabel.call("POST", f"/api/jobs/{job}/stop").status_code == 202
    ended = autolabel.job_ended(job)

    assert ended["state"] == "stopped"
    assert ended["reason"] == "stopped on request"
    versions = client.predictions.versions(project.id)
    assert not [name for name, count in versions.items() if count and not _is_list(name)]
    assert client.projects.get(project.id)["model_version"] in {"", "Autolabel"}
    assert autolabel.json("models", project.id)["versions"] == []
