"""Label Studio's Data Manager in a browser, in the words of a person who uses it."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000
"""Milliseconds: Label Studio's pages are large and the machine may be busy."""


@contextmanager
def a_browser(command: str | None) -> Iterator[Browser]:
    """Start the Chromium at `command` with a fresh profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=ARGUMENTS)
        yield browser
        browser.close()


class DataManager:
    """The table of one project's tasks, after `open`."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        page.set_default_timeout(PATIENCE)

    def log_in(self, username: str, password: str) -> None:
        self.page.goto(f"{self.url}/user/login/")
        self.page.locator("input[name=email]").fill(username)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("button[type=submit]").click()
        self.page.wait_for_url(lambda url: "login" not in url)

    def open(self, project: int) -> None:
        self.page.goto(f"{self.url}/projects/{project}/data")
        self._wait_for_rows()

    def open_tab(self, title: str) -> None:
        self.page.get_by_text(title, exact=True).first.click()
        self.page.wait_for_load_state("networkidle")
        self._wait_for_rows()

    def show_as_grid(self) -> None:
        self.page.locator("input[type=radio][value=grid]").first.click(force=True)

    def open_wall(self, title: str) -> None:
        """Open a tab that is a grid, as soon as its images are there."""
        self.page.get_by_text(title, exact=True).first.click()
        self.page.wait_for_load_state("networkidle")
        self._boxes().first.wait_for(state="attached")

    def select_wall(self) -> None:
        """Select all images of an open wall: the list has a box for that, the grid has none."""
        self.page.locator("input[type=radio][value=list]").first.click(force=True)
        self.page.locator(".dm-table-head, [class*=table-head]").first.wait_for()
        self.select_all()
        self.show_as_grid()
        self.page.locator("[class*=grid-view]").first.wait_for()

    def selected(self) -> int:
        """How many images of an open wall are selected."""
        return self.page.locator("input[type=checkbox]:checked").count()

    def deselect_first(self) -> None:
        self._boxes().first.click(force=True)

    def select_all(self) -> None:
        self._boxes().first.click(force=True)
        self.page.get_by_role("button", name="Tasks Actions").and_(
            self.page.locator(":enabled")
        ).wait_for()

    def select(self, rows: int) -> None:
        """Select the first so many rows."""
        for row in range(1, rows + 1):
            self._boxes().nth(row).click(force=True)

    def choose(self, action: str) -> Locator:
        """Open an entry of the actions menu; its dialog, as soon as the form is there."""
        self.page.get_by_role("button", name="Tasks Actions").click()
        self.page.get_by_text(action, exact=True).first.click()
        dialog = self.page.locator(".lsf-dialog-content")
        dialog.locator("form").wait_for()
        return dialog

    def pick(self, field: str, option: str) -> None:
        """Pick an option of a drop-down in the open dialog."""
        self.page.locator(f"button[data-name={field}]").click()
        self.page.get_by_role("option", name=option).first.click()

    def confirm(self) -> None:
        self.page.get_by_test_id("dialog-ok-button").click()

    def toast(self) -> str:
        """What a toast says, as soon as there is one."""
        found = self.page.get_by_text("being processed in the background").first
        found.wait_for()
        return found.inner_text()

    def refusal(self) -> str:
        """What the dialog of a refusal says, as soon as there is one."""
        self.page.get_by_text("Validation error").first.wait_for()
        return self.page.locator("[class*=modal]").last.inner_text()

    def _wait_for_rows(self) -> None:
        self._boxes().nth(1).wait_for(state="attached")

    def _boxes(self) -> Locator:
        return self.page.get_by_role("checkbox")
