"""Projects as people have them, on a real Label Studio: what is left out, hidden or skipped."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.processes.label_studio_server import LabelStudioProcess
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import new_project
from tests.e2e.label_studio_api import delete_project, import_tasks
from tests.e2e.rounds import shown
from tests.faults.proxy import Answer, FaultProxy

pytestmark = pytest.mark.timeout(900)

STREET = """<View>
  <Image name="image" value="$image"/>
  <Choices name="quality" toName="image"><Choice value="good"/><Choice value="bad"/></Choices>
  <RectangleLabels name="find" toName="image"><Label value="van"/><Label value="bike"/>
  </RectangleLabels>
  <TextArea name="note" toName="image"/>
</View>"""
ROADS = """<View>
  <Image name="front" value="$photos.front"/><Image name="side" value="$photos.side"/>
  <Choices name="type" toName="front"><Choice value="road"/><Choice value="none"/></Choices>
  <View visibleWhen="choice-selected" whenTagName="type" whenChoiceValue="road">
    <Choices name="lanes" toName="front"><Choice value="1"/><Choice value="2"/></Choices>
  </View>
  <Choices name="LIGHT" toName="side" CHOICE="single" Required="true">
    <Choice value="day"/><Choice value="night"/>
  </Choices>
</View>"""


def picture(red: int, green: int, blue: int, seed: int) -> str:
    """A noisy image of one color, as a data address."""
    noise = np.random.default_rng(seed).integers(-20, 20, (64, 64, 3))
    pixels = np.clip(np.array([red, green, blue]) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def chose(name: str, label: str, image: str = "image") -> dict[str, Any]:
    value = {"choices": [label]}
    return {"from_name": name, "to_name": image, "type": "choices", "value": value}


def drew(label: str | None, name: str = "find") -> dict[str, Any]:
    place: dict[str, Any] = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    value = {**place, "rectanglelabels": [label]} if label else place
    return {"from_name": name, "to_name": "image", "type": "rectanglelabels", "value": value}


@pytest.fixture
def street(client: LabelStudioClient) -> Iterator[int]:
    """Boxes whose label was renamed, lost or imported elsewhere, and images only judged."""
    project = client.projects.create("street", STREET)["id"]
    ways: Sequence[tuple[int, list[dict[str, Any]]]] = [
        (6, [drew("van"), drew("bike")]),
        (7, [drew("Van")]),
        (3, [drew(None)]),
        (4, [drew("van", "yolo_boxes")]),
        (9, [chose("quality", "bad")]),
        (2, []),
    ]
    many = sum(count for count, _ in ways)
    data = [{"image": picture(90, 90, 90, seed)} for seed in range(many + 5)]
    given = [{"result": result} for count, result in ways for _ in range(count)]
    skipped = {"result": [], "was_cancelled": True}
    import_tasks(client, project, data, [*given, skipped, skipped, skipped])
    yield project
    delete_project(client, project)


def test_the_status_names_what_teaches_nothing_before_a_job_starts(
    street: int, autolabel: Autolabel
):
    status = autolabel.json("status", street)
    left = {
        one["gap"]: (one["images"], one["names"])
        for one in status["left_out"]
        if one["control"] == "find"
    }
    assert left == {
        "unknown_label": (7, [["Van", 7]]),
        "no_label": (3, []),
        "unknown_control": (4, [["yolo_boxes", 4]]),
        "other_questions": (9, [["quality", 9]]),
    }
    counts = {(one["control"], one["label"]): one["images"] for one in status["labels"]}
    assert (counts["find", "van"], counts["find", "bike"]) == (6, 6)
    assert (status["skipped"], status["unlabeled"]) == (3, 2)
    said = " ".join(status["warnings"])
    assert f'autolabel labels {street} rename "Van" "van"' in said
    assert "3 skipped tasks are left out" in said


def test_accepting_is_refused_beside_a_note_that_nobody_learns(street: int, autolabel: Autolabel):
    done = autolabel.run("label", street, "--accept")
    assert done.returncode == 3
    assert "<TextArea name='note'>" in done.stderr + done.stdout
    assert "--partial" in done.stderr + done.stdout


COLORS = {"road": (200, 40, 40), "none": (40, 40, 200), "day": (240, 240, 200), "night": (9, 9, 9)}


@pytest.fixture
def roads(client: LabelStudioClient) -> Iterator[tuple[int, Mapping[int, tuple[str, str]]]]:
    """Two images a task below nested keys; half of the tasks ask a question more. 24 of 32 done."""
    project = client.projects.create("roads", ROADS)["id"]
    truths = [(("road", "none")[n % 2], ("day", "night")[n // 2 % 2]) for n in range(32)]
    data = [
        {"photos": {"front": picture(*COLORS[one], n), "side": picture(*COLORS[other], 100 + n)}}
        for n, (one, other) in enumerate(truths)
    ]
    given = []
    for n, (kind, light) in enumerate(truths[:24]):
        lanes = [chose("lanes", str(1 + n // 2 % 2), "front")] if kind == "road" else []
        result = [chose("type", kind, "front"), *lanes, chose("LIGHT", light, "side")]
        given.append({"result": result})
    tasks = import_tasks(client, project, data, given)
    yield project, dict(zip(tasks, truths, strict=True))
    delete_project(client, project)


def test_each_question_is_predicted_on_its_own_image_where_it_shows(
    roads: tuple[int, Mapping[int, tuple[str, str]]],
    autolabel: Autolabel,
    client: LabelStudioClient,
):
    project, truth = roads
    status = autolabel.json("status", project)
    assert status["ready"], status["reasons"]
    assert status["left_out"] == []
    assert autolabel.json("label", project)["state"] == "finished"
    predictions = shown(client, project).predictions
    assert len(predictions) == 8
    for prediction in predictions:
        said = {one["from_name"]: one["value"]["choices"] for one in prediction["result"]}
        kind, light = truth[prediction["task"]]
        assert (said["type"], said["LIGHT"]) == ([kind], [light])
        assert ("lanes" in said) is (kind == "road")


PUBLIC = "https://tools.example.org/label-studio"
SURROUNDINGS = {
    "AUTOLABEL_SERVICE_HOST": "10.96.12.7",  # Kubernetes, of a service called autolabel
    "AUTOLABEL_SERVICE_PORT": "9090",
    "AUTOLABEL_PORT_9090_TCP_ADDR": "10.96.12.7",
    "all_proxy": "socks://127.0.0.1:7890/",  # a desktop
}
TOO_LARGE = Answer(413, b"<html>413 Request Entity Too Large</html>")
GROUPS = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="tools" toName="image"><Label value="helmet"/></RectangleLabels>
  <RectangleLabels name="people" toName="image"><Label value="worker"/></RectangleLabels></View>"""
GAUGE = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="find" toName="image"><Label value="gauge"/></RectangleLabels></View>"""


@pytest.fixture
def company(
    label_studio: LabelStudioProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Autolabel, FaultProxy]]:
    """A Label Studio that is published under a path, behind a proxy that takes small imports."""
    for name, value in SURROUNDINGS.items():
        monkeypatch.setenv(name, value)
    with FaultProxy(label_studio.url) as proxy:
        settings = settings_for(
            label_studio,
            tmp_path / "data",
            label_studio_url=proxy.url,
            label_studio_public_url=PUBLIC,
            min_labels=1,
        )
        with Autolabel(settings).running() as autolabel:
            yield autolabel, proxy


@pytest.fixture
def published(client: LabelStudioClient, tmp_path: Path) -> Iterator[tuple[int, Mapping[int, str]]]:
    """Digits whose addresses begin with the path under which Label Studio is published.

    Every second one is labeled.
    """
    uploaded = new_project(client, tmp_path / "digits", per_class=12, labels=("0", "1"))
    config = client.projects.get(uploaded.id)["label_config"]
    project = client.projects.create("published", config)["id"]
    found = {task["id"]: task["data"]["image"] for task in client.tasks.unlabeled(uploaded.id)}
    heads = ("/label-studio", PUBLIC)
    data = [{"image": heads[n % 2] + found[task]} for n, task in enumerate(uploaded.truth)]
    labels = uploaded.truth.values()
    given = [
        None if n % 2 else {"result": [chose("digit", label)]} for n, label in enumerate(labels)
    ]
    truth = dict(zip(import_tasks(client, project, data, given), labels, strict=True))
    yield project, truth
    delete_project(client, project)
    delete_project(client, uploaded.id)


def test_a_network_of_a_company_is_no_obstacle(
    company: tuple[Autolabel, FaultProxy],
    published: tuple[int, Mapping[int, str]],
    client: LabelStudioClient,
):
    (autolabel, proxy), (project, truth) = company, published
    large = proxy.arm(
        lambda asked: "/import" in asked.path and len(asked.body) > 2_000,
        lambda _: TOO_LARGE,
        times=10_000,
    )
    job = autolabel.json("label", project)
    assert job["state"] == "finished", job["reason"]
    assert large.struck, "what is too large is sent in halves"
    assert {one["task"] for one in shown(client, project).predictions} == {*[*truth][1::2]}


@pytest.mark.parametrize(("config", "fewest"), [(GAUGE, "1"), (GROUPS, "2")])
def test_rectangles_are_counted_over_all_their_tags(
    client: LabelStudioClient, autolabel: Autolabel, config: str, fewest: str
):
    """One label is enough where that is allowed, and two tags of one label each always."""
    project = client.projects.create("boxes", config)["id"]
    labels = {"find": "gauge"} if "gauge" in config else {"tools": "helmet", "people": "worker"}
    data = [{"image": picture(9, 9, 9, n)} for n in range(6)]
    given = {"result": [drew(label, name) for name, label in labels.items()]}
    import_tasks(client, project, data, [given] * 5)
    status = autolabel.json("status", project, AUTOLABEL_MIN_LABELS=fewest)
    delete_project(client, project)
    assert {one["label"]: one["images"] for one in status["labels"]} == dict.fromkeys(
        labels.values(), 5
    )
    assert not {one["code"] for one in status["reasons"]} & {"too_few_labels", "too_few_images"}
