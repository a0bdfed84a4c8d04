import sqlite3
from datetime import datetime

import httpx
import pytest
from PIL import Image

from backend.domain.version_names import RECOUNT
from connectors.errors import Denied, ResourceNotFound, Unreachable
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.label_studio_api import delete_project, delete_tasks, import_tasks

CAT = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]


def images(count):
    return [{"image": f"http://images.test/{number}.jpg"} for number in range(count)]


def test_a_legacy_token_says_who_it_belongs_to(client):
    assert client.whoami()["email"] == "a@b.co"
    assert client.version().startswith("1.")


def test_a_personal_access_token_works_as_well(client, label_studio):
    existing = client.http.request_json("GET", "/api/token/")
    token = existing[0] if existing else client.http.request_json("POST", "/api/token/")

    with LabelStudioClient(label_studio.url, token["token"]) as other:
        assert other.whoami()["email"] == "a@b.co"


def test_a_wrong_token_is_denied_with_a_hint(label_studio):
    with LabelStudioClient(label_studio.url, "f" * 40) as stranger, pytest.raises(Denied) as denied:
        stranger.projects.all()

    assert "personal access token" in denied.value.hint


def test_a_missing_project_is_not_found_in_every_list(client):
    with pytest.raises(ResourceNotFound):
        client.projects.get(999_999)
    with pytest.raises(ResourceNotFound):
        list(client.tasks.unlabeled(999_999))
    with pytest.raises(ResourceNotFound):
        client.predictions.versions(999_999)


def test_projects_are_listed_over_all_pages(client, project):
    client.projects.page_size = 2
    more = [client.projects.create(f"page {n}", "<View/>")["id"] for n in range(4)]

    listed = [row["id"] for row in client.projects.all()]

    assert {project, *more} <= set(listed)
    assert len(listed) == len(set(listed))
    for one in more:
        delete_project(client, one)


def test_deleting_a_project_twice_is_fine(client):
    made = client.projects.create("to delete", "<View/>")["id"]

    delete_project(client, made)
    delete_project(client, made)

    with pytest.raises(ResourceNotFound):
        client.projects.get(made)


def test_imported_tasks_come_back_in_order_with_their_raw_addresses(client, project):
    ids = import_tasks(client, project, images(5))

    listed = list(client.tasks.unlabeled(project))

    assert [task["id"] for task in listed] == ids
    assert [task["data"] for task in listed] == images(5)
    assert client.tasks.count_unlabeled(project) == 5


def test_a_labeled_task_carries_whole_annotations_and_a_skipped_one_is_neither(client, project):
    first, second, third = import_tasks(client, project, images(3))
    client.annotations.create(first, CAT)
    client.annotations.create(second, [], was_cancelled=True)

    (labeled,) = client.tasks.labeled(project)

    assert labeled["id"] == first
    (annotation,) = labeled["annotations"]
    assert annotation["result"][0]["value"] == {"choices": ["cat"]}
    assert annotation["was_cancelled"] is False
    assert annotation["updated_at"]
    assert annotation["parent_prediction"] is None
    assert [task["id"] for task in client.tasks.unlabeled(project)] == [third]
    assert client.tasks.count_unlabeled(project) == 1


def test_labeled_tasks_are_listed_since_a_moment_and_a_deleted_label_changes_their_number(
    client, project
):
    # given a labeled task
    first, second = import_tasks(client, project, images(2))
    client.annotations.create(first, CAT)
    (labeled,) = client.tasks.labeled(project)
    then = datetime.fromisoformat(labeled["updated_at"])
    assert list(client.tasks.labeled(project, then)) == []
    # when another one is labeled, and the first one is labeled again
    client.annotations.create(second, CAT)
    again = client.http.request_json(
        "POST", f"/api/tasks/{first}/annotations/", json={"result": []}
    )
    # then both changed
    changed = list(client.tasks.labeled(project, then))
    assert [task["id"] for task in changed] == [first, second]
    moments = {task["id"]: datetime.fromisoformat(task["updated_at"]) for task in changed}
    assert client.tasks.newest_change(project) == (2, moments[first])
    assert client.tasks.labeled_changes(project, then) == moments
    assert list(client.tasks.labeled(project, then, [second])) == changed[1:]
    # and so do a task that lost one of two annotations, and the number of tasks with any
    now = datetime.fromisoformat(list(client.tasks.labeled(project, then))[1]["updated_at"])
    client.http.request_json("DELETE", f"/api/annotations/{again['id']}/")
    (changed,) = client.tasks.labeled(project, now)
    assert (changed["id"], len(changed["annotations"])) == (first, 1)
    client.http.request_json("DELETE", f"/api/annotations/{changed['annotations'][0]['id']}/")
    assert client.tasks.newest_change(project)[0] == 1


def test_tasks_annotated_while_we_page_neither_repeat_nor_hide_others(client, project):
    client.tasks.page_size = 3
    ids = import_tasks(client, project, images(10))

    seen = []
    for task in client.tasks.unlabeled(project):
        seen.append(task["id"])
        if task["id"] == ids[1]:
            client.annotations.create(ids[0], CAT)  # behind us: shifts page numbers by one
            delete_tasks(client, project, [ids[8]])  # ahead of us

    assert seen == [task for task in ids if task != ids[8]]


def test_a_list_whose_length_is_a_multiple_of_the_page_ends(client, project):
    client.tasks.page_size = 2
    ids = import_tasks(client, project, images(4))

    assert [task["id"] for task in client.tasks.unlabeled(project)] == ids


def test_tasks_by_id_leaves_out_those_that_are_gone(client, project):
    ids = import_tasks(client, project, images(4))
    delete_tasks(client, project, ids[:1])
    client.annotations.create(ids[1], CAT)

    found = list(client.tasks.by_id(project, ids))

    assert [task["id"] for task in found] == ids[1:]
    assert [task["total_annotations"] for task in found] == [1, 0, 0]
    assert found[1]["data"] == images(4)[2]


def test_uploaded_images_become_tasks_in_the_order_of_the_files(client, project, tmp_path):
    paths = []
    for name in ("zebra.png", "ant.png", "mule 1.png"):
        paths.append(tmp_path / name)
        Image.new("RGB", (4, 3)).save(paths[-1])

    ids = client.tasks.upload_images(project, paths)

    uris = {task["id"]: task["data"]["image"] for task in client.tasks.unlabeled(project)}
    assert [uris[task].rsplit("-", 1)[1] for task in ids] == ["zebra.png", "ant.png", "mule_1.png"]
    address = client.http.url(uris[ids[0]])
    assert httpx.get(address, headers=client.http.auth_headers()).content == paths[0].read_bytes()


def test_annotations_can_be_read(client, project):
    (task,) = import_tasks(client, project, images(1))
    made = client.annotations.create(task, CAT)["id"]

    assert [annotation["id"] for annotation in client.annotations.of_task(task)] == [made]


def test_an_address_where_nobody_listens_is_unreachable_and_names_it():
    with (
        LabelStudioClient("http://127.0.0.1:9", "f" * 40) as nobody,
        pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"),
    ):
        nobody.whoami()


def test_tasks_whose_annotations_label_studio_miscounted_are_found_and_counted(
    client, project, label_studio
):
    """As after an import that recounted the task while somebody submitted it."""
    first, second, third = import_tasks(client, project, images(3))
    for task in (first, second):
        client.annotations.create(task, CAT)
    assert client.recount(project, RECOUNT) == 0
    with sqlite3.connect(label_studio.data_dir / "label_studio.sqlite3") as database:
        database.execute("UPDATE task SET total_annotations = 0 WHERE id = ?", (second,))
        database.execute("UPDATE task SET total_annotations = 1 WHERE id = ?", (third,))
    database.close()
    assert [one["id"] for one in client.tasks.unlabeled(project)] == [second]

    assert client.recount(project, RECOUNT) == 2

    assert [one["id"] for one in client.tasks.unlabeled(project)] == [third]
    assert [one["id"] for one in client.tasks.labeled(project)] == [first, second]
    assert client.predictions.versions(project) == {}
