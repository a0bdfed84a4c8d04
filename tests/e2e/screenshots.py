"""Take the pictures of the documentation: dialog, refusal, an image with its reason, the page.

python -m tests.e2e.screenshots --out docs/images

Starts a Label Studio and a backend of its own, labels digits as a person would, and ends both.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from connectors.label_studio.client import LabelStudioClient
from tests import chromium
from tests.e2e import page_screenshots
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.data_manager import DataManager, a_browser
from tests.e2e.digits import LABELS, DigitProject, new_project
from tests.e2e.label_studio import PASSWORD, USERNAME, binary, new_data_dir, running
from tests.e2e.label_studio_copy import with_action

SIZE = {"width": 1280, "height": 900}


def ready_project(client: LabelStudioClient, ours: Autolabel, folder: Path) -> DigitProject:
    """Digits with a first version, and its predictions waiting for confirmation."""
    project = new_project(client, folder, per_class=60, labeled=dict.fromkeys(LABELS, 12))
    ours.run("connect", project.id)
    ours.json("label", project.id)
    return project


def short_project(client: LabelStudioClient, ours: Autolabel, folder: Path) -> DigitProject:
    """Of class 1, only three images are labeled."""
    project = new_project(client, folder, 8, labels=("0", "1"), labeled={"0": 5, "1": 3})
    ours.run("connect", project.id)
    return project


def shoot_label_studio(
    browser: Browser, url: str, ready: DigitProject, short: DigitProject, out: Path
) -> None:
    page = browser.new_context(viewport=SIZE).new_page()
    table = DataManager(page, url)
    table.log_in(USERNAME, PASSWORD)
    table.open(ready.id)
    table.select_all()
    table.choose("Auto Labeling")
    page.screenshot(path=out / "dialog.png")
    table.open(short.id)
    table.select_all()
    table.choose("Auto Labeling")
    table.confirm()
    table.refusal()
    page.screenshot(path=out / "refusal.png")
    table.open(ready.id)
    table.open_tab("Hard examples")
    page.screenshot(path=out / "hard-examples.png")
    table.open_wall("Confirm: 1")
    table.select_wall()
    table.deselect_first()
    page.wait_for_timeout(3000)  # images of a grid load one after another
    page.screenshot(path=out / "wall.png")


def shoot_review(browser: Browser, url: str, project: int, out: Path) -> None:
    page = browser.new_context(viewport=SIZE).new_page()
    page.goto(f"{url}/projects/{project}/review")
    page.locator(".tile").first.wait_for()
    page.wait_for_timeout(3000)
    page.screenshot(path=out / "review.png")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, a_browser(chromium.command()) as browser:
        folder = Path(scratch)
        (folder / "templates").mkdir()
        data_dir = new_data_dir(folder, folder / "templates")
        command = with_action(binary(), folder / "copy")
        with (
            running(data_dir, command) as studio,
            Autolabel(settings_for(studio, folder / "autolabel")).running() as ours,
            LabelStudioClient(studio.url, studio.token, patience=30) as client,
        ):
            ready = ready_project(client, ours, folder / "ready")
            short = short_project(client, ours, folder / "short")
            shoot_label_studio(browser, studio.url, ready, short, out)
            page = ours.settings.public_url
            shoot_review(browser, page, ready.id, out)
            pages = {"overview": "/", "project": f"/projects/{ready.id}"}
            if job := page_screenshots.newest_report(page, ready.id):
                pages["report"] = f"/jobs/{job}"
            page_screenshots.take(browser, page, pages, out)


if __name__ == "__main__":
    main()
