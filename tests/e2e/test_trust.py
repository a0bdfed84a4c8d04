"""What makes labels trustworthy, on a real Label Studio: reasons, a certificate, an undo."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from backend.domain.audits import RiskLedger
from backend.domain.ids import ProjectId
from backend.stores.ledgers import LedgerFiles
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.autolabel import JOB_SECONDS, Autolabel
from tests.e2e.digits import LABELS, DigitProject, annotate, new_project
from tests.e2e.label_studio import REPOSITORY
from tests.e2e.label_studio_api import upload_annotated
from tests.e2e.rounds import Shown, newest_job, shown
from tests.integration.polling import eventually

COCO = REPOSITORY.parent / "shared" / "data" / "coco256"
ACCEPT = ("--accept", "--max-error", 0.3, "--confidence", 0.8)
"""What an audit of a hundred images can certify."""

FREQUENT = ("person", "dining table", "car", "cup", "chair")
SEVERAL = """<View>
  <Image name="image" value="$image"/>
  <Choices name="seen" toName="image" choice="multiple">{}</Choices>
</View>""".format("".join(f'<Choice value="{label}"/>' for label in FREQUENT))


@dataclass(frozen=True)
class Accepted:
    """A project whose audit was drawn by one job, and labeled; the next job started by itself.

    `mislabeled` are tasks that a person labeled wrongly.
    """

    project: DigitProject
    mislabeled: list[int]
    asked: dict[str, Any]
    audit: list[int]
    job: dict[str, Any]
    drawn: Shown
    shown: Shown

    @property
    def trained(self) -> dict[str, Any]:
        """The report of the job that trained, and drew the audit."""
        return self.asked["report"]

    @property
    def report(self) -> dict[str, Any]:
        return self.job["report"]


@pytest.fixture(scope="module")
def accepted(label_studio, autolabel, tmp_path_factory) -> Accepted:
    """160 digits: 15 of each class annotated, four of them wrongly, then the audit."""
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        folder, labeled = tmp_path_factory.mktemp("trust"), dict.fromkeys(LABELS, 15)
        project = new_project(client, folder, per_class=40, labeled=labeled, wrong=4)
        mislabeled = project.some(labeled)[:4]
        assert autolabel.run("connect", project.id).returncode == 0
        asked = autolabel.json("label", project.id, *ACCEPT)
        drawn = shown(client, project.id)
        audit = list(drawn.tabs["Audit"])
        annotate(client, project, audit)
        eventually(lambda: newest_job(autolabel, project.id) != asked["id"], JOB_SECONDS)
        job = autolabel.job_ended(newest_job(autolabel, project.id))
        now = shown(client, project.id)
        return Accepted(project, mislabeled, asked, audit, job, drawn, now)


def test_an_audit_says_price_and_yield_and_waits_in_its_tab_without_predictions(accepted: Accepted):
    asked, sample = accepted.asked, accepted.audit
    assert asked["state"] == "finished", asked["reason"]
    assert f"Label these {len(sample)} random images (tab 'Audit'), and about" in asked["reason"]
    assert accepted.trained["accepted"] == 0
    assert accepted.trained["predicted"] == len(accepted.project.truth) - 60 - len(sample)
    assert {one["task"] for one in accepted.drawn.predictions}.isdisjoint(sample)


def test_predictions_are_scored_and_their_lists_are_in_order(accepted: Accepted):
    drawn, waiting = accepted.drawn, accepted.trained["predicted"]
    assert drawn.model_version == accepted.asked["version"]
    assert len(drawn.predictions) == len(drawn.tabs["To be confirmed"]) == waiting
    scores = {one["task"]: one["score"] for one in drawn.predictions}
    assert {task: score for task, score in drawn.by_score if score is not None} == pytest.approx(
        scores
    )
    hardness = {one["task"]: one["result"][0]["id"] for one in drawn.predictions}
    listed = [hardness[task] for task in drawn.tabs["Hard examples"]]
    assert listed
    assert listed == sorted(listed, reverse=True)


def test_the_last_label_of_an_audit_starts_the_job_that_accepts(accepted: Accepted, autolabel):
    assert accepted.job["mode"] == "auditing"
    assert accepted.job["state"] == "finished", accepted.job["reason"]
    assert [job["id"] for job in autolabel.json("jobs", accepted.project.id)["jobs"]] == [
        accepted.job["id"],
        accepted.asked["id"],
    ]


def test_a_labeled_audit_accepts_the_rest_with_a_certificate_that_verifies(accepted, autolabel):
    certificate = accepted.report["certificate"]
    assert certificate, accepted.job["reason"]
    assert certificate["audited"] == len(accepted.audit)
    assert certificate["terms"]["max_error"] == 0.3
    assert certificate["sentence"] in accepted.job["reason"]
    assert accepted.report["accepted"] == certificate["accepted"] > 0
    assert "Audit" not in accepted.shown.tabs
    folder = autolabel.settings.data_dir / f"projects/{accepted.project.id}/jobs"
    file = folder / accepted.job["id"] / "certificate.json"
    verified = autolabel.run("verify", str(file))
    assert verified.returncode == 0, verified.stderr
    assert "The certificate holds" in verified.stdout
    forged = folder / "forged.json"
    forged.write_text(file.read_text().replace('"budget":48', '"budget":49'))
    assert autolabel.run("verify", str(forged)).returncode == 1


def test_accepted_tasks_have_an_annotation_that_remembers_its_prediction(accepted, client):
    made = annotations_of_the_machine(client, accepted)
    predictions = {one["id"]: one for one in accepted.shown.predictions}
    assert len(made) == accepted.report["accepted"]
    for task, annotation in made.items():
        prediction = predictions[annotation["parent_prediction"]]
        assert prediction["task"] == task
        assert annotation["result"][0]["value"] == prediction["result"][0]["value"]
        assert prediction["score"] >= accepted.report["certificate"]["threshold"]


def test_the_finished_data_set_is_as_right_as_was_promised(accepted, client):
    made = annotations_of_the_machine(client, accepted)
    wrong = [
        task
        for task, annotation in made.items()
        if annotation["result"][0]["value"]["choices"] != [accepted.project.truth[task]]
    ]
    assert len(wrong) <= 0.3 * len(accepted.project.truth)


def test_hard_reasons_are_where_the_region_panel_shows_them(accepted: Accepted):
    said = {
        one["task"]: one["result"][0]["meta"]["text"][0]
        for one in accepted.drawn.predictions
        if "meta" in one["result"][0]
    }
    assert said
    assert len(said) == accepted.trained["hard"]
    assert accepted.trained["hardest"]
    for example in accepted.trained["hardest"]:
        words = "; ".join(reason["words"] for reason in example["reasons"])
        assert said[example["task"]].startswith(f"hard {example['coefficient']:.2f}: ")
        assert said[example["task"]].endswith(words)
    assert set(accepted.drawn.tabs["Hard examples"]) <= set(said)


def test_most_wrong_labels_of_a_person_are_listed_to_be_checked(accepted: Accepted):
    listed = set(accepted.mislabeled) & set(accepted.drawn.tabs["Check these labels"])
    assert len(listed) >= len(accepted.mislabeled) / 2
    doubted = [one["task"] for one in accepted.trained["label_issues"]]
    assert accepted.drawn.tabs["Check these labels"] == list(dict.fromkeys(doubted))


def test_the_report_says_where_its_figures_come_from_and_shows_them(accepted, autolabel):
    report = accepted.trained
    assert report["metrics_from"] in {"held-out", "out-of-fold"}
    assert {"accuracy", "ece", "brier"} <= set(report["metrics"])
    assert [row["label"] for row in report["per_class"]] == list(LABELS)
    assert sum(report["confidence_histogram"]) == len(accepted.drawn.predictions)
    assert report["totals"] == {"labels": 60, "certified": 0}
    assert report["forecast"]["reason"]
    folder = autolabel.settings.data_dir / f"projects/{accepted.project.id}/jobs"
    names = {path.name for path in (folder / accepted.asked["id"]).iterdir()}
    plots = ("reliability", "confidence")
    assert {f"{plot}-{theme}.svg" for plot in plots for theme in ("light", "dark")} <= names
    assert {f"task-{example['task']}.jpg" for example in report["hardest"]} <= names


def test_undo_gives_the_accepted_tasks_back_and_nothing_of_the_risk(accepted, autolabel, client):
    job, before = accepted.job["id"], risk_of(autolabel, accepted)
    done = autolabel.run("undo", job)
    assert done.returncode == 0, done.stderr
    assert str(accepted.report["accepted"]) in done.stdout
    assert annotations_of_the_machine(client, accepted) == {}
    now = shown(client, accepted.project.id)
    assert len(now.tabs["Unlabeled"]) == len(accepted.project.truth) - 60 - len(accepted.audit)
    assert autolabel.run("undo", job).returncode == 2
    after = risk_of(autolabel, accepted)
    assert after.spent == before.spent == pytest.approx(0.75 * 0.2)
    assert (before.allowed > 0, after.allowed) == (True, 0)


def test_suggestions_among_predicted_images_are_listed_in_their_order(accepted, autolabel, client):
    suggested = autolabel.json("suggest", accepted.project.id, "--count", 12)
    picks = [one["task"] for one in suggested["report"]["picks"]]
    assert len(picks) == 12
    assert list(shown(client, accepted.project.id).tabs["Label next"]) == picks


def risk_of(autolabel: Autolabel, accepted: Accepted) -> RiskLedger:
    ledgers = LedgerFiles(autolabel.settings.data_dir)
    return ledgers.load(ProjectId(accepted.project.id)).risk


def annotations_of_the_machine(
    client: LabelStudioClient, accepted: Accepted
) -> dict[int, dict[str, Any]]:
    """The annotations that came from predictions, by task."""
    return {
        task["id"]: one
        for task in client.tasks.labeled(accepted.project.id)
        for one in task["annotations"]
        if one["parent_prediction"]
    }


def test_several_labels_an_image_are_learned_and_predicted(autolabel, client):
    truth = photos(50)
    project = client.projects.create("several labels", SEVERAL)["id"]
    paths = [COCO / "images" / name for name in truth]
    results = [choices(labels) for labels in truth.values()][:40]
    tasks = upload_annotated(client, project, paths, results)
    said = dict(zip(tasks, truth.values(), strict=True))

    job = autolabel.json("label", project)

    assert job["state"] == "finished", job["reason"]
    assert job["report"]["task_kind"] == "multilabel"
    assert job["report"]["labeled"] == 40
    predictions = shown(client, project).predictions
    assert {one["task"] for one in predictions} == set(tasks[40:])
    found = [(said[one["task"]], labels_of(one)) for one in predictions]
    hits = sum(len(set(truth) & set(labels)) for truth, labels in found)
    assert hits / sum(len(labels) for _, labels in found) > 0.5


def photos(count: int) -> dict[str, list[str]]:
    """What is seen in these photos, by file name; in the first six, none of the labels."""
    if not COCO.is_dir():
        pytest.skip(f"no photos with several labels: {COCO} is missing")
    every: dict[str, list[str]] = json.loads((COCO / "multilabel.json").read_text("utf-8"))
    known = {name: [one for one in labels if one in FREQUENT] for name, labels in every.items()}
    some = [name for name in known if known[name]]
    none = [name for name in known if not known[name]]
    return {name: known[name] for name in (*none[:6], *some[: count - 6])}


def choices(labels: list[str]) -> list[dict[str, Any]]:
    head = {"from_name": "seen", "to_name": "image", "type": "choices"}
    return [{**head, "value": {"choices": labels}}] if labels else []


def labels_of(prediction: Any) -> list[str]:
    return prediction["result"][0]["value"]["choices"] if prediction["result"] else []
