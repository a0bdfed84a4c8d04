"""The page in a real browser, before a fake backend: live news, forms, keyboard, phone width."""

import re
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import axe_playwright_python
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import ControlName, Label, ProjectId
from backend.domain.jobs import JobRequest, JobState
from backend.domain.projects import LabelCount
from backend.presentation import plots
from backend.settings import Settings
from backend.web.app import server
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import a_project, a_version
from tests.fakes.label_studio import FakeProjects
from tests.fakes.reviews import a_review, a_review_of_boxes
from tests.fakes.versions import FakeVersions
from tests.integration.polling import eventually

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WISH = JobRequest(ProjectId(2))
FAULTS = "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))"
STREAMS = """
window.streams = [];
window.EventSource = class extends EventSource {
  constructor(address) { super(address); streams.push(this); }
};
window.look = (here) => {
  Object.defineProperty(document, "hidden", { value: !here, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};
"""
"""Remembers the event streams of a page, and says whether somebody looks at it."""

PHONE = {"width": 390, "height": 844}
REPORT = {
    "labeled": 40,
    "predicted": 100,
    "hard": 1,
    "validation": 8,
    "metrics": {"accuracy": 0.9, "ece": 0.05},
    "per_class": [
        {"label": "a label with a name", "images": 5, "precision": 0.9, "recall": 0.8, "f1": 0.85}
    ],
    "hardest": [{"task": 7, "coefficient": 0.8, "reasons": [{"words": "low confidence (0.41)"}]}],
    "notes": {
        "c": {
            "confusion": [[7, 1], [0, 8]],
            "per_label": [{"label": "cat", "images": 8}, {"label": "dog", "images": 8}],
            "coverage": [
                {"coverage": 0.5, "precision": 1.0, "threshold": 0.9},
                {"coverage": 1.0, "precision": 0.94, "threshold": 0.4},
            ],
        }
    },
    "learning_curves": [
        {
            "control": "c",
            "metric": "accuracy",
            "points": [{"images": 20, "score": 0.6}, {"images": 40, "score": 0.7}],
            "ahead": [{"images": 80, "score": 0.79}],
        }
    ],
    "unreadable": [{"task": 9, "reason": "the file is empty"}],
    "seconds": {"embed": 3.2},
}


@pytest.fixture(scope="module")
def browser(chromium_command: str):
    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium_command, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def backend(tmp_path):
    project, version = a_project(), a_version()
    counts = [LabelCount(ControlName("c"), Label(n), k) for n, k in (("cat", 8), ("dog", 3))]
    return FakeBackend(
        label_studio=FakeProjects({project.id: project}),
        versions=FakeVersions([a_version("al-0002-77aa"), version], {project.id: version.name}),
        counts=tuple(counts),
        review=a_review(tmp_path, project.id),
    )


@pytest.fixture
def address(backend, tmp_path):
    listening = server(backend, Settings(data_dir=tmp_path, port=0))

    def run():
        with suppress(OSError):  # its socket is closed below while it waits on it
            listening.run()

    threading.Thread(target=run, daemon=True).start()
    yield f"http://127.0.0.1:{listening.port}"
    listening.close()


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def page(browser, address, complaints):
    """A page that fails the test for anything that its policy or its script refused."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield page
    context.close()
    assert [text for text in complaints if not re.search("409|503", text)] == []


def test_a_job_is_started_followed_and_seen_to_finish_without_a_reload(page, address, backend):
    page.goto(f"{address}/projects/2")
    page.evaluate("window.neverReloaded = true")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/projects/2#job")
    page.evaluate("window.neverReloaded = true")

    (job,) = backend.jobs.jobs.values()
    backend.jobs.jobs[job.id] = replace(job, state=JobState.RUNNING, progress=0.4, step="embed")
    page.get_by_text("Embedding the data", exact=True).wait_for()
    assert page.get_by_role("progressbar").get_attribute("value") == "40"

    ended = replace(job, state=JobState.FINISHED, progress=1.0, reason="the first version")
    backend.jobs.jobs[job.id] = ended
    page.get_by_role("row").filter(has_text="the first version").get_by_text("Finished").wait_for()
    assert page.get_by_role("progressbar").count() == 0
    assert page.get_by_role("status").inner_text() == "Finished. The first version."
    assert page.evaluate("window.neverReloaded")


def test_a_refusal_is_shown_with_its_reasons_and_has_the_focus(page, address, backend):
    backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images"),)
    page.goto(f"{address}/projects/2")
    page.get_by_label("Precise").check()
    page.get_by_role("button", name="Start", exact=True).click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "class 'dog' has 3 of 5 images" in alert.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    assert page.get_by_label("Precise").is_checked()


def test_after_a_refusal_the_page_still_follows_the_jobs(page, address, backend):
    backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images"),)
    page.goto(f"{address}/projects/2")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("alert").wait_for()
    job, _ = backend.jobs.submit(WISH)
    page.get_by_role("button", name="Stop this job").wait_for()
    backend.jobs.jobs[job.id] = replace(job, state=JobState.RUNNING, step="embed")
    page.goto(page.url)
    page.get_by_text("Embedding the data", exact=True).wait_for()


def test_the_start_form_is_updated_with_versions_and_keeps_what_was_chosen(page, address, backend):
    cards, backend.versions.cards = backend.versions.cards, []
    backend.versions.active.clear()
    page.goto(f"{address}/projects/2")
    page.get_by_label("Pre-labeling").check()
    page.get_by_label("Or import a model").fill("yolo11n.pt")
    assert not page.get_by_role("combobox", name="Model version").is_visible()

    backend.versions.cards = cards
    job, _ = backend.jobs.submit(WISH)
    page.get_by_role("button", name="Stop this job").wait_for()
    page.get_by_label("Pre-labeling").check()
    page.get_by_role("combobox", name="Model version").select_option("al-0001-3f9c")

    cards.append(a_version("al-0003-beef"))
    backend.jobs.jobs[job.id] = replace(job, state=JobState.FINISHED)
    page.get_by_role("row").filter(has_text="Finished").wait_for()
    assert page.get_by_label("Pre-labeling").is_checked()
    assert page.get_by_role("combobox", name="Model version").input_value() == "al-0001-3f9c"
    assert page.get_by_role("combobox", name="Model version").locator("option").count() == 3
    assert page.get_by_label("Or import a model").input_value() == "yolo11n.pt"


def test_updates_keep_the_focus_and_what_was_opened(page, address, backend):
    backend.warnings = ("one", "two", "three")
    job, _ = backend.jobs.submit(WISH)
    page.goto(f"{address}/projects/2")
    page.get_by_text("3 hints for better results").click()
    page.get_by_role("row").get_by_role("link").focus()

    backend.counts = backend.counts[:1]
    backend.jobs.jobs[job.id] = replace(job, state=JobState.FINISHED)
    page.get_by_role("row").filter(has_text="Finished").wait_for()
    page.get_by_text("Ready to start: 8 labeled").wait_for()
    assert page.get_by_text("Two.", exact=True).is_visible()
    assert page.evaluate("document.activeElement.id") == job.id


def test_a_hidden_page_closes_its_event_stream(page, address, backend):
    page.add_init_script(STREAMS)
    page.goto(f"{address}/projects/2")
    page.wait_for_function("streams.length === 1 && streams[0].readyState === EventSource.OPEN")
    page.evaluate("look(false)")
    assert page.evaluate("streams.map((stream) => stream.readyState)") == [2]

    backend.counts = backend.counts[:1]
    page.evaluate("look(true)")
    page.get_by_text("Ready to start: 8 labeled").wait_for()
    page.wait_for_function("streams.length === 2 && streams[1].readyState === EventSource.OPEN")


def test_a_page_without_an_event_stream_polls(page, address, backend):
    page.clock.install()
    page.route("**/events*", lambda route: route.fulfill(status=503))
    with page.expect_response("**/events*"):
        page.goto(f"{address}/projects/2")
    backend.jobs.submit(WISH)
    page.wait_for_load_state("networkidle")
    page.clock.run_for(10_000)
    page.get_by_role("button", name="Stop this job").wait_for()


def test_the_overview_counts_again_only_where_a_job_changed(page, address, backend):
    other = a_project(3, "Cars")
    backend.label_studio.known[other.id] = other
    asked = []
    page.on("request", lambda call: asked.append(call.url.removeprefix(address)))
    page.goto(address)
    page.get_by_text("Ready to start: 11 labeled").nth(1).wait_for()

    backend.counts = backend.counts[:1]
    backend.jobs.submit(WISH)
    page.get_by_text("Ready to start: 8 labeled").wait_for()
    assert page.get_by_text("Ready to start: 11 labeled").count() == 1
    assert asked.count("/projects/3/readiness") == 1
    assert page.get_by_role("status").inner_text().startswith("Pets: Waiting for a worker.")


def test_a_job_is_started_by_keyboard_alone(page, address, backend):
    page.goto(f"{address}/projects/2")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "primary":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/projects/2#job")
    assert len(backend.started) == 1


def test_a_stop_button_stops(page, address, backend):
    job, _ = backend.jobs.submit(WISH)
    backend.jobs.jobs[job.id] = replace(job, state=JobState.RUNNING, step="embed")
    page.goto(f"{address}/projects/2")
    page.get_by_role("button", name="Stop this job").click()
    page.get_by_text("Stopping").first.wait_for()


def test_the_overview_fills_in_readiness_after_loading(page, address):
    page.goto(address)
    page.get_by_text("Ready to start: 11 labeled").wait_for()


def test_times_are_in_the_reader_s_time_zone_also_after_updates(browser, address, backend):
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.goto(f"{address}/projects/2")
    assert page.locator("#versions time").first.inner_text() == "21 Nov 2026, 17:00"
    backend.jobs.submit(WISH)
    page.locator("#history time").wait_for()
    assert page.locator("#history time").inner_text() == "21 Nov 2026, 17:00"
    context.close()


def test_versions_are_right_below_readiness_however_long_the_forms_beside_them(page, address):
    page.goto(f"{address}/projects/2")
    above, below = (page.locator(part).bounding_box() for part in ("#readiness", "#versions"))
    assert above["x"] == below["x"]
    assert 0 < below["y"] - (above["y"] + above["height"]) < 40


@pytest.mark.parametrize("path", ["/", "/projects/2", "/jobs/job-1"])
def test_nothing_sticks_out_of_a_phone(browser, address, backend, path):
    job, _ = backend.jobs.submit(WISH)
    backend.jobs.jobs[job.id] = replace(job, state=JobState.FINISHED, report=REPORT)
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(address + path)
    page.wait_for_load_state("load")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()


def test_without_scripts_the_page_reloads_itself(browser, address, backend):
    job, _ = backend.jobs.submit(WISH)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/projects/2")
    page.get_by_text("Waiting for a worker").first.wait_for()
    backend.jobs.jobs[job.id] = replace(job, state=JobState.RUNNING, step="embed")
    page.get_by_text("Embedding the data").wait_for(timeout=60_000)
    context.close()


def refused(page):
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("alert").wait_for()


@pytest.mark.parametrize(
    ("path", "state", "act"),
    [
        ("/", JobState.RUNNING, None),
        ("/projects/2", JobState.RUNNING, None),
        ("/projects/2", JobState.FINISHED, refused),
        ("/jobs/job-1", JobState.RUNNING, None),
        ("/jobs/job-1", JobState.FINISHED, None),
        (
            "/projects/2/review",
            JobState.FINISHED,
            lambda page: page.locator(".tile").first.wait_for(),
        ),
    ],
    ids=["overview", "running", "refusal", "running job", "report", "review"],
)
def test_axe_finds_no_serious_fault(page, address, backend, path, state, act):
    script = Path(axe_playwright_python.__file__).with_name("axe.min.js")
    backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images"),)
    job, _ = backend.jobs.submit(WISH)
    report = None if state.is_live else REPORT
    backend.jobs.jobs[job.id] = replace(job, state=state, report=report)
    page.goto(address + path)
    if act:
        act(page)
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": script.read_text()})
    for colors in ("light", "dark"):
        page.emulate_media(color_scheme=colors)
        found = session.send(
            "Runtime.evaluate",
            {"expression": FAULTS, "awaitPromise": True, "returnByValue": True},
        )
        assert (colors, found["result"]["value"]) == (colors, [])


def test_plots_and_thumbnails_of_a_report_are_shown_under_the_policy(
    page, address, backend, tmp_path
):
    job, _ = backend.jobs.submit(WISH)
    backend.reports = tmp_path
    backend.jobs.jobs[job.id] = replace(job, state=JobState.FINISHED, report=REPORT)
    measured = plots.Measured({"c": [(0.9, 0.8, 10)]}, histogram=[1, 2], thresholds={"": 0.9})
    plots.draw(backend.report_folder(job), measured, [])
    Image.new("RGB", (8, 8)).save(backend.report_folder(job) / "task-7.jpg")
    page.goto(f"{address}/jobs/{job.id}")
    images = page.locator("main img")
    assert images.count() == 3
    for image in images.all():
        image.scroll_into_view_if_needed()
        page.wait_for_function("(img) => img.naturalWidth > 0", arg=image.element_handle())


def test_a_mistake_of_a_report_leads_to_what_is_predicted_so(page, address, backend):
    job, _ = backend.jobs.submit(WISH)
    backend.jobs.jobs[job.id] = replace(job, state=JobState.FINISHED, report=REPORT)
    page.goto(f"{address}/jobs/{job.id}")
    assert page.locator(".chart").count() == 3
    page.get_by_role("link", name="1 cat predicted as dog: review what is predicted so").click()
    page.locator(".tile").first.wait_for()
    assert page.locator("[data-wall-title]").inner_text() == "dog"
    assert page.locator('[data-label="dog"] .pick').get_attribute("aria-pressed") == "true"
    shown = page.locator(".tile").evaluate_all("tiles => tiles.map(t => t.ariaLabel)")
    assert all(": dog, " in one for one in shown)


def verdicts(backend) -> Counter[str]:
    waiting = backend.review.reviews.unsaved(ProjectId(2), 99)
    return Counter(one.wanted.verdict.value for one in waiting)


def test_a_screen_is_reviewed_changed_and_taken_back_with_keys_alone(page, address, backend):
    page.goto(f"{address}/projects/2/review")
    tiles = page.locator(".tile")
    tiles.first.wait_for()
    for key in ("Space", "ArrowRight", "ArrowRight", "1", "Enter"):
        page.keyboard.press(key)
    assert eventually(lambda: tiles.count() == 6, 60)
    assert eventually(
        lambda: verdicts(backend) == {"confirmed": 22, "wrong": 1, "relabeled": 1}, 60
    )

    page.keyboard.press("p")
    assert tiles.count() == 24
    assert [tiles.nth(n).get_attribute("data-verdict") for n in (0, 1, 2)] == [
        "wrong",
        "confirmed",
        "relabeled",
    ]
    for key in ("Space", "Enter"):
        page.keyboard.press(key)
    assert eventually(lambda: verdicts(backend) == {"confirmed": 23, "relabeled": 1}, 60)

    page.keyboard.press("u")
    assert eventually(lambda: not verdicts(backend), 60)
    tiles.nth(23).wait_for()


def test_predicted_boxes_are_drawn_and_images_without_any_are_shown(
    page, address, backend, tmp_path
):
    backend.review = a_review_of_boxes(tmp_path / "boxes", ProjectId(2))
    page.goto(f"{address}/projects/2/review")
    tiles = page.locator(".tile")
    tiles.nth(11).wait_for()
    assert page.locator(".picture .box").count() == 16
    assert tiles.first.get_attribute("aria-label") == "Image 1: cat, dog, 2 boxes, 70 %"
    assert "nothing found" in tiles.nth(2).get_attribute("aria-label")
    for key in ("b", "b", "1"):
        page.keyboard.press(key)
    assert tiles.first.get_attribute("aria-label").startswith("Image 1: cat, ")
    assert page.locator(".box.chosen").count() == 1


def test_the_review_page_fits_a_phone(browser, address):
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{address}/projects/2/review")
    page.locator(".tile").first.wait_for(timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()
