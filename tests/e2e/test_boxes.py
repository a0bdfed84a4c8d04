"""Rectangles as people live them: draw boxes on 20 images, train, look, confirm, train again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import axe_playwright_python
import numpy as np
import pytest

from connectors.label_studio.client import LabelStudioClient
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.cells import LABELS, SIZE, WEIGHTS, CellProject, matched_overlaps
from tests.e2e.cells import new_project as new_cells
from tests.e2e.label_studio_api import delete_project
from tests.e2e.rounds import Shown, shown
from tests.integration.polling import eventually

IMAGES, ANNOTATED, CONFIRMED = 40, 20, 8
MINUTES = 0.75
"""For one training: about thirty passes over 20 images on two idle processors."""

IN_SIGHT = 3
"""Regions of the editor's list that fit on the screen for sure; it draws no others."""

SCREEN = {"width": 1280, "height": 760}

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class BoxRound:
    """A finished job, and what people saw right after it."""

    project: CellProject
    job: dict[str, Any]
    shown: Shown

    @property
    def report(self) -> dict[str, Any]:
        return self.job["report"]

    @property
    def predicted(self) -> dict[int, list[dict[str, Any]]]:
        return {one["task"]: one["result"] for one in self.shown.predictions}

    @property
    def waiting(self) -> dict[int, list[dict[str, Any]]]:
        """Predictions of images that nobody has annotated."""
        unlabeled = self.shown.tabs["To be confirmed"]
        return {task: parts for task, parts in self.predicted.items() if task in unlabeled}


@pytest.fixture(scope="module")
def cells(label_studio, tmp_path_factory):
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        project = new_cells(client, tmp_path_factory.mktemp("cells"), IMAGES, ANNOTATED)
        yield project
        delete_project(client, project.id)


@pytest.fixture(scope="module")
def boxes(label_studio, cells, tmp_path_factory):
    """Redis, web and worker that start from the shared checkpoint and train briefly."""
    settings = settings_for(
        label_studio,
        tmp_path_factory.mktemp("boxes"),
        detector=str(WEIGHTS),
        max_train_minutes=MINUTES,
    )
    with Autolabel(settings, patience=300).running() as parts:
        assert parts.run("connect", cells.id).returncode == 0
        yield parts


def a_round(boxes, label_studio, cells) -> BoxRound:
    job = boxes.json("label", cells.id)
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        return BoxRound(cells, job, shown(client, cells.id))


@pytest.fixture(scope="module")
def first(boxes, label_studio, cells):
    return a_round(boxes, label_studio, cells)


@pytest.fixture(scope="module")
def second(first, boxes, label_studio, cells):
    """The surest predictions confirmed in bulk, and a training on them too."""
    sure = [task for task, _ in first.shown.by_score[-CONFIRMED:]]
    with LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client:
        made = client.acceptance.accept(cells.id, first.job["version"], sure)
    assert len(made) == CONFIRMED
    return a_round(boxes, label_studio, cells)


def test_without_weights_and_network_a_job_is_refused_naming_the_setting(boxes, cells):
    missing = {"AUTOLABEL_DETECTOR": "yolo11x.pt", "YOLO_OFFLINE": "1"}

    refused = boxes.run("label", cells.id, **missing)

    assert refused.returncode == 3
    assert "yolo11x.pt is not on this machine" in refused.stderr
    assert "AUTOLABEL_DETECTOR" in refused.stderr
    reasons = boxes.json("status", cells.id, **missing)["reasons"]
    assert [reason["code"] for reason in reasons] == ["no_base_weights"]


def test_a_job_learns_boxes_and_an_image_without_any(first):
    assert first.job["state"] == "finished", first.job["reason"]
    assert first.report["task_kind"] == "detection"
    assert first.report["labeled"] == ANNOTATED, "the empty slide is trained on too"
    assert first.report["predicted"] == IMAGES - ANNOTATED
    assert {row["label"] for row in first.report["labels"] if row["images"] >= 5} == set(LABELS)


def test_boxes_land_where_the_truth_is(first):
    overlaps = [
        matched_overlaps(predicted, first.project.truth[task])
        for task, predicted in first.predicted.items()
    ]
    true = sum(len(first.project.truth[task].regions) for task in first.predicted)
    assert np.mean(np.concatenate(overlaps)) > 0.7
    assert sum(map(len, overlaps)) > 0.45 * true, "and about half of the truth is found"


def test_boxes_of_sideways_photos_land_where_people_see_the_cells(first):
    sideways = [task for task in first.predicted if task in first.project.sideways]
    assert len(sideways) >= 4
    overlaps = [matched_overlaps(first.predicted[t], first.project.truth[t]) for t in sideways]
    true = sum(len(first.project.truth[task].regions) for task in sideways)
    assert np.mean(np.concatenate(overlaps)) > 0.7
    assert sum(map(len, overlaps)) > 0.45 * true


def test_predictions_are_percent_of_the_upright_image_with_a_score_a_box(first):
    assert len(first.predicted) == IMAGES - ANNOTATED
    for one in first.shown.predictions:
        assert 0 <= one["score"] <= 1
        for part in one["result"]:
            value = part["value"]
            assert (part["type"], part["from_name"], part["to_name"]) == (
                "rectanglelabels",
                "cell",
                "image",
            )
            assert (part["original_width"], part["original_height"]) == SIZE
            assert 0 <= value["x"] <= value["x"] + value["width"] <= 100 + 1e-6
            assert 0 <= value["y"] <= value["y"] + value["height"] <= 100 + 1e-6
            assert 0 < part["score"] <= 1


def test_what_was_confirmed_in_bulk_is_learned(first, second):
    assert second.job["state"] == "finished", second.job["reason"]
    assert second.report["labeled"] == ANNOTATED + CONFIRMED
    assert second.report["predicted"] == IMAGES - ANNOTATED - CONFIRMED
    assert second.report["notes"]["cell"]["start"] == "previous version"
    assert second.job["version"] != first.job["version"]


def test_no_figure_is_shown_as_not_a_number(first, boxes, cells):
    words = boxes.run("models", cells.id).stdout
    assert first.job["version"] in words
    assert "nan" not in words


@pytest.fixture
def page(label_studio, chromium_command: str):
    from tests.e2e.data_manager import DataManager, a_browser

    with a_browser(chromium_command) as browser:
        manager = DataManager(browser.new_page(viewport=SCREEN), label_studio.url)
        manager.log_in(label_studio.username, label_studio.password)
        yield manager.page


def test_the_editor_opens_with_the_predicted_boxes(second, page, label_studio):
    predicted = {task: parts for task, parts in second.predicted.items() if parts}
    task = min(predicted, key=lambda task: len(predicted[task]))

    page.goto(f"{label_studio.url}/projects/{second.project.id}/data?task={task}")

    listed = page.locator("[class*=node_type_rectangleregion]")
    listed.nth(min(len(predicted[task]), IN_SIGHT) - 1).wait_for()
    assert all(any(label in text for label in LABELS) for text in listed.all_inner_texts())


def test_boxes_are_reviewed_with_keys_alone(second, page, boxes, client):
    waiting, tiles = second.waiting, page.locator(".tile")
    drawn = sum(len(parts) for parts in waiting.values())

    page.goto(f"{boxes.settings.public_url}/projects/{second.project.id}/review")
    tiles.first.wait_for()
    assert tiles.count() == len(waiting)
    assert page.locator(".picture .box").count() == drawn
    assert serious_faults(page) == []

    spoken = [tile.get_attribute("aria-label") for tile in tiles.all()]
    first, other, *_ = (n for n, text in enumerate(spoken) if "nothing found" not in text)
    wrong, relabeled = (int(tiles.nth(n).get_attribute("data-task")) for n in (first, other))
    for _ in range(first):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    for _ in range(other - first):
        page.keyboard.press("ArrowRight")
    key = next(n for n, label in enumerate(LABELS, 1) if f": {label}" not in spoken[other])
    page.keyboard.press(str(key))
    page.keyboard.press("Enter")
    page.get_by_text(f"All {len(waiting)} decisions are saved").wait_for()

    found = {task: client.annotations.of_task(task) for task in waiting}
    assert [task for task, made in found.items() if not made] == [wrong]
    assert all(made[0]["parent_prediction"] for task, made in found.items() if task != wrong)
    assert LABELS[key - 1] in str(found[relabeled][0]["result"])
    assert shown(client, second.project.id).tabs["To be confirmed"][0] == wrong

    page.keyboard.press("u")
    eventually(lambda: not any(client.annotations.of_task(task) for task in waiting))
    tiles.nth(len(waiting) - 1).wait_for()
    assert tiles.count() == len(waiting)


def serious_faults(page) -> list[str]:
    script = Path(axe_playwright_python.__file__).with_name("axe.min.js")
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": script.read_text()})
    return page.evaluate(
        "axe.run().then(r => r.violations"
        ".filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id))"
    )
