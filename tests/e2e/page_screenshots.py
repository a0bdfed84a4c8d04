"""Take pictures of the page of a running backend, in light, dark and at phone width.

autolabel demo &
python -m tests.e2e.page_screenshots --url http://localhost:9090 --project 1 --out docs/images
"""

import argparse
import json
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests import chromium
from tests.integration.test_console_in_browser import ARGUMENTS, PHONE

DESK = {"width": 1200, "height": 900}
LOOKS = {
    "light": {"color_scheme": "light", "viewport": DESK},
    "dark": {"color_scheme": "dark", "viewport": DESK},
    "phone": {"color_scheme": "light", "viewport": PHONE},
}


def newest_report(url: str, project: int) -> str | None:
    with urllib.request.urlopen(f"{url}/api/projects/{project}/jobs", timeout=30) as answer:
        jobs = json.load(answer)["jobs"]
    return next((job["id"] for job in jobs if job["report"]), None)


def take(browser: Browser, url: str, pages: dict[str, str], out: Path) -> None:
    for look, options in LOOKS.items():
        context = browser.new_context(**options)
        for name, path in pages.items():
            page = context.new_page()
            page.goto(url + path)
            for image in page.locator("img").all():
                image.scroll_into_view_if_needed()
            page.wait_for_timeout(1500)  # what is filled in later
            page.screenshot(path=out / f"{name}-{look}.png", full_page=True)
            page.close()
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://localhost:9090")
    parser.add_argument("--project", type=int, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    pages = {"overview": "/", "project": f"/projects/{wanted.project}"}
    if job := newest_report(wanted.url, wanted.project):
        pages["report"] = f"/jobs/{job}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.command(), args=ARGUMENTS)
        take(browser, wanted.url, pages, wanted.out)
        browser.close()


if __name__ == "__main__":
    main()
