import sqlite3

import pytest

from connectors.errors import Rejected
from connectors.label_studio.calls import Calls
from connectors.label_studio.prediction_import import DELETED
from connectors.label_studio.untouched_annotations import FIELDS, UntouchedAnnotations
from tests.e2e.label_studio_api import create_prediction, delete_tasks, import_tasks, set_sampling

OLD, NEW = "al-0001-aaaa", "al-0002-bbbb"


def choice(label="cat"):
    return [
        {"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": [label]}}
    ]


def prediction(task, version=NEW, **fields):
    return {"task": task, "model_version": version, "score": 0.5, "result": choice(), **fields}


@pytest.fixture
def tasks(client, project):
    data = [{"image": f"http://images.test/{number}.jpg"} for number in range(6)]
    return import_tasks(client, project, data)


def predictions_of(client, task):
    return client.http.request_json("GET", "/api/predictions/", params={"task": task})


def test_imported_predictions_are_counted_and_found_by_version(client, project, tasks):
    done = client.prediction_import.store(project, [prediction(task) for task in tasks])

    assert (done.created, done.dropped) == (6, ())
    assert client.predictions.versions(project) == {NEW: 6}
    assert client.tasks.predicted_ids(project, NEW) == set(tasks)


def test_a_version_that_another_one_begins_with_is_not_mistaken_for_it(client, project, tasks):
    client.prediction_import.store(
        project, [prediction(tasks[0], NEW), prediction(tasks[1], NEW + "c")]
    )

    assert client.tasks.predicted_ids(project, NEW) == {tasks[0]}


def test_a_task_deleted_meanwhile_costs_only_itself(client, project, tasks):
    delete_tasks(client, project, [tasks[2]])

    done = client.prediction_import.store(project, [prediction(task) for task in tasks])

    assert done.created == 5
    assert done.dropped == ((tasks[2], DELETED),)
    assert client.predictions.versions(project) == {NEW: 5}


def test_an_invalid_prediction_costs_only_itself_and_says_why(client, project, tasks):
    sent = [prediction(task) for task in tasks]
    sent[1] = prediction(tasks[1], score=1.5)
    sent[4] = prediction(tasks[4], result=choice("unicorn"))

    done = client.prediction_import.store(project, sent)

    assert done.created == 4
    reasons = dict(done.dropped)
    assert set(reasons) == {tasks[1], tasks[4]}
    assert "core" in reasons[tasks[1]]
    assert "unicorn" in reasons[tasks[4]]


def test_more_predictions_than_one_batch_all_arrive(client, project, tasks):
    client.prediction_import.batch_size, client.prediction_import.room = 4, 0

    done = client.prediction_import.store(project, [prediction(task) for task in tasks])

    assert done.created == 6
    assert client.tasks.predicted_ids(project, NEW) == set(tasks)


def test_label_studio_as_installed_recounts_all_tasks_at_an_import(client, project, tasks):
    assert client.prediction_import.recounts_all(project)
    assert client.predictions.versions(project) == {}


def test_a_single_prediction_keeps_its_cluster(client, project, tasks):
    create_prediction(client, tasks[0], choice(), model_version=NEW, score=0.25, cluster=7)

    (stored,) = predictions_of(client, tasks[0])

    assert (stored["cluster"], stored["score"], stored["model_version"]) == (7, 0.25, NEW)


def test_deleting_one_version_leaves_the_others_and_the_shown_one(client, project, tasks):
    client.prediction_import.store(project, [prediction(task, OLD) for task in tasks])
    client.prediction_import.store(project, [prediction(task, NEW) for task in tasks])
    client.projects.set_model_version(project, NEW)

    assert client.predictions.delete_version(project, OLD) == 6

    assert client.predictions.versions(project) == {NEW: 6}
    assert client.projects.get(project)["model_version"] == NEW


def test_some_tasks_lose_the_predictions_of_some_versions(client, project, tasks):
    client.prediction_import.store(project, [prediction(task, OLD) for task in tasks])
    client.prediction_import.store(project, [prediction(task, "theirs") for task in tasks])

    client.predictions.delete_of_tasks(project, tasks[:2], lambda version: version == OLD)

    assert client.tasks.predicted_ids(project, OLD) == set(tasks[2:])
    assert client.tasks.predicted_ids(project, "theirs") == set(tasks)


def test_predictions_of_many_tasks_are_deleted_without_those_of_others(client, project):
    tasks = import_tasks(client, project, [{"image": f"/{number}.jpg"} for number in range(18)])
    rows = [prediction(task, OLD) for task in tasks]
    second = [prediction(task, NEW) for task in tasks[1:6]]
    others = [prediction(tasks[0], "theirs"), *second]
    client.prediction_import.store(project, [*rows, *others])

    client.predictions.delete_of_tasks(project, tasks[:17], lambda version: version != "theirs")

    assert client.predictions.versions(project) == {OLD: 1, "theirs": 1}
    assert client.tasks.predicted_ids(project, "theirs") == {tasks[0]}
    # and Label Studio's own counts are not asked: once a project was deleted, it forgets to count
    listed = client.tasks.matching(project, (), ("id", "predictions"), "all")
    left = {(row["id"], one["model_version"]) for row in listed for one in row["predictions"]}
    assert left == {(tasks[0], "theirs"), (tasks[17], OLD)}


def test_a_version_without_predictions_cannot_be_shown(client, project):
    with pytest.raises(Rejected):
        client.projects.set_model_version(project, "al-9999-ffff")


def test_sampling_can_be_set(client, project):
    set_sampling(client, project, "Uncertainty sampling")

    assert client.projects.get(project)["sampling"] == "Uncertainty sampling"


def test_accepted_predictions_become_annotations_that_remember_them(client, project, tasks):
    client.prediction_import.store(project, [prediction(task, OLD) for task in tasks])
    client.prediction_import.store(project, [prediction(task, NEW) for task in tasks])

    made = client.acceptance.accept(project, NEW, tasks[:3])

    assert len(made) == 3
    labeled = list(client.tasks.labeled(project))
    assert [task["id"] for task in labeled] == tasks[:3]
    for task in labeled:
        (annotation,) = task["annotations"]
        newest = {one["id"]: one["model_version"] for one in predictions_of(client, task["id"])}
        assert newest[annotation["parent_prediction"]] == NEW


def test_accepting_twice_makes_nothing_new_and_undo_takes_back_only_ours(client, project, tasks):
    client.prediction_import.store(project, [prediction(task) for task in tasks])
    theirs = client.annotations.create(tasks[0], choice("dog"))["id"]
    ours = client.acceptance.accept(project, NEW, tasks[:2])

    assert client.acceptance.accept(project, NEW, tasks[:2]) == {}
    client.acceptance.take_back(project, ours)
    client.acceptance.take_back(project, ours)

    assert [one["id"] for one in client.annotations.of_task(tasks[0])] == [theirs]
    assert client.annotations.of_task(tasks[1]) == []
    assert client.tasks.predicted_ids(project, NEW) == set(tasks)


def test_undo_leaves_the_draft_that_a_person_has_begun(client, project, tasks):
    client.prediction_import.store(project, [prediction(task) for task in tasks])
    ours = client.acceptance.accept(project, NEW, tasks)
    path = f"/api/tasks/{tasks[0]}/drafts"
    client.http.request_json("POST", path, json={"result": choice("dog")})

    client.acceptance.take_back(project, ours)

    assert not list(client.tasks.labeled(project))
    assert len(client.http.request_json("GET", path)) == 1


def test_undo_leaves_what_a_person_corrected(client, project, tasks):
    client.prediction_import.store(project, [prediction(task) for task in tasks])
    ours = client.acceptance.accept(project, NEW, tasks)
    corrected = client.annotations.of_task(tasks[0])[0]["id"]
    client.http.request_json(
        "PATCH", f"/api/annotations/{corrected}/", json={"result": choice("dog")}
    )

    done = client.acceptance.take_back(project, ours)

    assert done.changed == {tasks[0]}
    (left,) = client.tasks.labeled(project)
    assert [one["id"] for one in left["annotations"]] == [corrected]


def test_undo_leaves_the_draft_of_somebody_else(client, project, tasks, label_studio):
    client.prediction_import.store(project, [prediction(task) for task in tasks])
    ours = client.acceptance.accept(project, NEW, tasks)
    path = f"/api/tasks/{tasks[0]}/drafts"
    client.http.request_json("POST", path, json={"result": choice("dog")})
    path = f"/api/tasks/{tasks[1]}/annotations/{ours[tasks[1]]}/drafts"
    client.http.request_json("POST", path, json={"result": choice("dog")})
    account = {"email": "other@b.co", "username": "other"}
    other = client.http.request_json("POST", "/api/users/", json=account)["id"]
    with sqlite3.connect(label_studio.data_dir / "label_studio.sqlite3", timeout=30) as database:
        change = "UPDATE tasks_annotationdraft SET user_id = ? WHERE task_id IN (?, ?)"
        database.execute(change, (other, *tasks[:2]))

    done = client.acceptance.take_back(project, ours)

    assert done.drafted == {tasks[1]}
    assert [task["id"] for task in client.tasks.labeled(project)] == [tasks[1]]
    drafted = "SELECT count(*) FROM tasks_annotationdraft WHERE task_id IN (?, ?)"
    assert database.execute(drafted, tasks[:2]).fetchone() == (2,)
    database.close()


def test_undo_of_many_at_once_spares_what_people_did_since_their_tasks_were_listed(client, project):
    """Label Studio itself has to look at what the call must not touch, when it runs."""
    tasks = import_tasks(client, project, [{"image": f"/{number}.jpg"} for number in range(24)])
    client.prediction_import.store(project, [prediction(task) for task in tasks])
    ours = client.acceptance.accept(project, NEW, tasks)
    fields = (*FIELDS, "was_cancelled")
    listed = list(client.tasks.among(project, tasks, fields, "all"))
    by_script, in_editor, another, skipped, drafted, begun, replaced = tasks[:7]
    send, wrong = client.http.request_json, {"result": choice("dog")}
    send("PATCH", f"/api/annotations/{ours[by_script]}/", json=wrong)
    send("PATCH", f"/api/annotations/{ours[in_editor]}/", json={**wrong, "lead_time": 2.5})
    client.annotations.create(another, choice("dog"))
    client.annotations.create(skipped, [], was_cancelled=True)
    send("POST", f"/api/tasks/{drafted}/annotations/{ours[drafted]}/drafts", json=wrong)
    send("POST", f"/api/tasks/{begun}/drafts", json=wrong)
    send("DELETE", f"/api/annotations/{ours[replaced]}/")
    client.annotations.create(replaced, choice("dog"))

    assert UntouchedAnnotations(Calls(client.http)).delete(project, listed, ours)

    rows = {row["id"]: row for row in client.tasks.among(project, tasks, fields, "all")}
    assert [task for task in tasks if rows[task]["annotations"]] == tasks[:7]
    assert [len(rows[task]["annotations"]) for task in (another, skipped)] == [2, 2]
    for task in (drafted, begun):
        assert len(client.http.request_json("GET", f"/api/tasks/{task}/drafts")) == 1
    assert {row["total_annotations"] for task, row in rows.items() if task not in tasks[:7]} == {0}


def test_what_somebody_annotated_or_skipped_meanwhile_is_not_accepted(client, project, tasks):
    client.prediction_import.store(project, [prediction(task) for task in tasks])
    client.annotations.create(tasks[0], choice("dog"))
    client.annotations.create(tasks[1], [], was_cancelled=True)

    made = client.acceptance.accept(project, NEW, tasks)

    assert len(made) == len(tasks) - 2
    assert [len(client.annotations.of_task(task)) for task in tasks] == [1, 0, 1, 1, 1, 1]


def test_what_somebody_annotates_or_skips_before_the_call_runs_gets_nothing_beside_it(
    client, project, tasks, monkeypatch
):
    """Label Studio itself has to look at the tasks when it accepts."""
    client.prediction_import.store(project, [prediction(task) for task in tasks])
    client.annotations.create(tasks[0], choice("dog"))
    client.annotations.create(tasks[1], [], was_cancelled=True)
    acceptance, deleted = client.acceptance, list[int]()
    monkeypatch.setattr(acceptance, "_unannotated", lambda project, listed: list(listed))
    monkeypatch.setattr(acceptance, "_delete", deleted.append)

    assert set(acceptance.accept(project, NEW, tasks)) == set(tasks[2:])

    assert not deleted


def test_accepting_a_task_without_a_prediction_makes_nothing(client, project, tasks):
    client.prediction_import.store(project, [prediction(tasks[0])])

    assert len(client.acceptance.accept(project, NEW, tasks)) == 1
