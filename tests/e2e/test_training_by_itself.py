"""People label and pause; Label Studio tells us, and a training starts that nobody asked for."""

from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import LABELS, annotate, new_project
from tests.e2e.rounds import newest_job
from tests.integration.polling import eventually


def test_labeling_and_pausing_is_enough(label_studio, client, tmp_path):
    paused = {"auto_train": True, "train_debounce_seconds": 2}
    settings = settings_for(label_studio, tmp_path / "data", **paused)
    with Autolabel(settings).running() as autolabel:
        project = new_project(client, tmp_path / "digits", per_class=10)
        assert autolabel.run("connect", project.id).returncode == 0
        few = project.some(dict.fromkeys(LABELS, 3))
        annotate(client, project, few)
        eventually(lambda: "has 3 of 5 images" in trigger(autolabel, project))

        enough = set(project.some(dict.fromkeys(LABELS, 6))) - set(few)
        annotate(client, project, enough)
        job = autolabel.job_ended(newest_job(autolabel, project.id))

        assert job["state"] == "finished", job["reason"]
        assert job["report"]["labeled"] == 24
        assert client.predictions.versions(project.id)[job["version"]] == 16
        assert trigger(autolabel, project) == "nothing was annotated since the last training"
        assert len(autolabel.json("jobs", project.id)["jobs"]) == 1


def trigger(autolabel, project):
    return autolabel.call("GET", f"/api/projects/{project.id}/status").json()["trigger"]
