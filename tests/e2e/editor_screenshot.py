"""Photographs Label Studio's editor with a hard example's reason in the region panel.

autolabel demo --task detection --images FOLDER      prints address, user and password
python -m tests.e2e.editor_screenshot ADDRESS USER PASSWORD PROJECT TASK FILE.png
"""

import sys

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
TARGETS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REGION = "[class*=node_type_rectangleregion]"


def main(address: str, user: str, password: str, project: str, task: str, file: str) -> None:
    """Log in, open the task, choose its first region, and take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=TARGETS)
        page = browser.new_page(viewport={"width": 1500, "height": 850})
        page.goto(f"{address}/user/login")
        page.fill("input[name=email]", user)
        page.fill("input[name=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/user/login" not in url)
        page.goto(f"{address}/projects/{project}/data?task={task}")
        page.locator(REGION).first.click(timeout=60_000)
        page.get_by_text("hard 0.").first.wait_for()
        page.screenshot(path=file)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
