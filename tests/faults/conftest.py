"""A site for all faults, and the table of what came of them."""

import os
from collections.abc import Iterator

import pytest

from tests.faults.site import Site

OUTCOME = "outcome"
"""Property of a passed test: step, fault, outcome. Reports carry it from parallel processes too."""


def wants_all() -> bool:
    """Whether `make faults` runs: every fault at every step, instead of a sample."""
    return os.environ.get("FAULTS") == "all"


@pytest.fixture(scope="session")
def site(label_studio, tmp_path_factory) -> Iterator[Site]:
    with Site(label_studio, tmp_path_factory.mktemp("faults")).running() as site:
        yield site


@pytest.fixture
def logged_site(site: Site) -> Iterator[Site]:
    """The site; what its parts log is printed, so that pytest shows it where the test fails."""
    before = len(site.ours.lines)
    yield site
    print("\n".join(site.ours.lines[before:]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = sorted(
        tuple(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == OUTCOME
    )
    if not rows:
        return
    terminalreporter.section(f"{len(rows)} injected faults")
    for step, fault, outcome in rows:
        terminalreporter.write_line(f"{step:24} {fault:24} {outcome}")
