"""A folder that Label Studio serves becomes tasks with labels, and gets labels back."""

from pathlib import Path

import httpx
import pytest

from tests.e2e.digits import write_images


@pytest.fixture
def folder(label_studio, project):
    """Six images of which three have label files, one of them of no use."""
    place: Path = label_studio.files_root / f"photos {project}"
    images = sorted(path for path, _ in write_images(place, 3, ("0", "1")))
    for image, label in zip(images, ["cat", "dog", "lion"], strict=False):
        image.with_suffix(".txt").write_text(f"{label}\n")
    return place


def test_a_folder_becomes_tasks_with_labels_and_gets_labels_back(
    label_studio, autolabel, client, project, folder
):
    def sync(*options):
        served = str(label_studio.files_root)
        return autolabel.json("sync", project, folder, *options, AUTOLABEL_LOCAL_FILES_ROOT=served)

    # when the folder is synchronized
    first = sync()
    # then each image is a task that Label Studio shows, with the labels that lie beside it
    assert (first["images"], first["created"], first["labeled"]) == (6, 6, 2)
    assert [one["reason"] for one in first["skipped"]] == ["no question has the label 'lion'"]
    tasks = list(client.results.tasks(project))
    assert len(tasks) == 6
    shown = httpx.get(
        label_studio.url + tasks[0]["data"]["image"],
        headers={"Authorization": f"Token {label_studio.token}"},
        trust_env=False,
    )
    assert shown.content == sorted(folder.rglob("*.png"))[0].read_bytes()
    # when a person labels one more, and it is synchronized again with labels written back
    (lion,) = [one for one in tasks if len(one["annotations"]) == 0][:1]
    choice = {"from_name": "kind", "to_name": "image", "type": "choices"}
    client.annotations.create(lion["id"], [{**choice, "value": {"choices": ["cat"]}}])
    second = sync("--write-back")
    # then nothing is there twice, and the file of no use is replaced
    assert (second["created"], second["labeled"], second["written"]) == (0, 0, 1)
    assert len(list(client.results.tasks(project))) == 6
    texts = [path.read_text() for path in sorted(folder.rglob("*.txt"))]
    assert texts == ["cat\n", "dog\n", "cat\n"]


def test_a_folder_that_label_studio_does_not_serve_is_refused_with_what_to_do(
    autolabel, project, tmp_path
):
    done = autolabel.run("sync", project, tmp_path)
    assert done.returncode == 2
    assert "AUTOLABEL_LOCAL_FILES_ROOT" in done.stderr
