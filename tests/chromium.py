"""Find an installed Chromium; Playwright's own download is not used."""

import shutil


def command() -> str | None:
    """Return the path of Debian's or Ubuntu's Chromium, None without one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")
