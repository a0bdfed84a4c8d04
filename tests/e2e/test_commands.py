"""What each command prints and how it exits, on a project that had its first round."""

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

import pytest

from tests.e2e.digits import new_project
from tests.e2e.label_studio import REPOSITORY
from tests.e2e.label_studio_api import import_tasks
from tests.e2e.reader import python_blocks
from tests.integration.polling import eventually


def test_connect_may_be_repeated(first_round, autolabel, client):
    again = autolabel.run("connect", first_round.project.id)
    assert again.returncode == 0
    assert "webhook already there" in again.stdout
    assert "Hard examples" in again.stdout
    assert len(client.registration.backends(first_round.project.id)) == 1
    assert len(client.registration.webhooks(first_round.project.id)) == 1


def test_status_in_words_and_in_json(first_round, autolabel):
    status = autolabel.json("status", first_round.project.id)
    assert status["ready"] is True
    assert (status["labeled"], status["unlabeled"]) == (32, 88)
    assert {row["label"]: row["images"] for row in status["labels"]} == dict.fromkeys("0123", 8)
    assert first_round.job["id"] in [job["id"] for job in status["jobs"]]

    words = autolabel.run("status", first_round.project.id)
    assert words.returncode == 0
    assert "32 labeled, 88 unlabeled images" in words.stdout
    assert "Ready to start: 32 labeled, 88 unlabeled images." in words.stdout


def test_jobs_and_models_list_what_the_round_left(first_round, autolabel):
    project = first_round.project.id
    (job,) = autolabel.json("jobs", project)["jobs"]
    assert job == first_round.job
    assert job["id"] in [one["id"] for one in autolabel.json("jobs")["jobs"]]
    (model,) = autolabel.json("models", project)["versions"]
    assert (model["name"], model["current"]) == (first_round.version, True)
    assert 0 <= model["metrics"]["accuracy"] <= 1

    assert job["id"] in autolabel.run("jobs").stdout
    assert f"* {model['name']}" in " ".join(autolabel.run("models", project).stdout.split())


def test_a_version_is_activated(first_round, autolabel):
    project = first_round.project.id
    done = autolabel.json("activate", project, first_round.version)
    assert done["versions"][0]["current"] is True
    missing = autolabel.run("activate", project, "al-9999-ffff")
    assert missing.returncode == 2
    assert "al-9999-ffff" in missing.stderr


def test_a_version_of_another_project_pre_labels_this_one(first_round, autolabel, client, tmp_path):
    other = new_project(client, tmp_path / "digits", per_class=3)
    versions = autolabel.settings.data_dir / f"projects/{first_round.project.id}/versions"
    (adopted,) = autolabel.json("adopt", other.id, versions / first_round.version)["versions"]
    assert adopted["reason"] == f"imported from {first_round.version}"
    mode = ("--mode", "pre-labeling", "--model", adopted["name"])
    assert autolabel.json("label", other.id, *mode)["report"]["predicted"] == 12

    nothing = autolabel.run("adopt", other.id, tmp_path)
    assert nothing.returncode == 2
    assert "card.json" in nothing.stderr


def documented_script(meant: Mapping[str, str]) -> str:
    """The script that pre-labels in bulk, with the reader's values instead of those on the page."""
    script = python_blocks(REPOSITORY / "docs" / "sdk.md")[1]
    for written, value in meant.items():
        assert written in script
        script = script.replace(written, value)
    return script


def test_the_documented_script_pre_labels_and_retrieves_predictions_in_batches(
    first_round, autolabel, client, label_studio, tmp_path, capsys
):
    # given a project with a version of another one
    other = new_project(client, tmp_path / "digits", per_class=3)
    connected = autolabel.run("connect", other.id)
    assert connected.returncode == 0, connected.stderr
    versions = autolabel.settings.data_dir / f"projects/{first_round.project.id}/versions"
    (adopted,) = autolabel.json("adopt", other.id, versions / first_round.version)["versions"]
    # when the script of the documentation runs
    meant = {
        "http://localhost:8080": label_studio.url,
        '"..."': repr(label_studio.token),
        "AutolabelClient()": f"AutolabelClient({autolabel.settings.public_url!r})",
        "(7, ": f"({other.id}, ",
        ", 7)": f", {other.id})",
        "im-0001-5e2a": adopted["name"],
    }
    names: dict[str, Any] = {}
    exec(compile(documented_script(meant), "sdk.md", "exec"), names)
    # then the project is pre-labeled
    assert "12 predictions" in capsys.readouterr().out
    assert client.predictions.versions(other.id)[adopted["name"]] == 12
    # when more tasks have come than fit into one batch, and their predictions are retrieved
    data = [task["data"] for task in client.tasks.by_id(other.id, other.truth)]
    import_tasks(client, other.id, list(islice(cycle(data), 250)))

    def each_has_one() -> bool:
        """Presses again: what a slow machine does not answer within the time limit is left out."""
        assert names["retrieve_predictions"](names["label_studio"], other.id) == 262
        return client.predictions.versions(other.id)[adopted["name"]] == 262

    # then each has one
    assert eventually(each_has_one, 600)


def test_disconnecting_may_be_repeated_and_undone(autolabel, client, tmp_path):
    project = new_project(client, tmp_path / "digits", per_class=1)
    autolabel.run("connect", project.id)
    for _ in range(2):
        assert autolabel.run("disconnect", project.id).returncode == 0
        assert (
            client.registration.backends(project.id)
            == client.registration.webhooks(project.id)
            == []
        )
    assert "backend created" in autolabel.run("connect", project.id).stdout


def test_stopping_a_job_that_ended_leaves_it_as_it_was(first_round, autolabel):
    assert autolabel.json("stop", first_round.job["id"])["state"] == "finished"
    missing = autolabel.run("stop", "job-20000101-000000-0000000")
    assert missing.returncode == 2
    assert "no job job-20000101-000000-0000000" in missing.stderr


def test_label_without_waiting_prints_the_queued_job_and_with_waiting_its_end(
    autolabel, client, tmp_path
):
    project = new_project(client, tmp_path, 7, labels=("0", "1"), labeled={"0": 5, "1": 5})

    job = autolabel.json("label", project.id, "--no-wait")
    assert job["state"] in {"queued", "running"}
    assert autolabel.job_ended(job["id"])["state"] == "finished"

    words = autolabel.run("label", project.id)
    assert words.returncode == 0, words.stderr
    assert "predicted  4 images" in words.stdout
    assert "100%" in words.stdout


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (("status", 999_999), 2, "999999"),
        (("label", 999_999), 2, "999999"),
        (("connect", 999_999), 2, "999999"),
    ],
)
def test_what_cannot_be_done_is_named(autolabel, command, status, words):
    done = autolabel.run(*command)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_version_that_is_not_there_is_a_refusal(first_round, autolabel):
    command = ("--mode", "pre-labeling", "--model", "al-9999-ffff")
    done = autolabel.run("label", first_round.project.id, *command)
    assert done.returncode == 3
    assert "al-9999-ffff" in done.stderr
