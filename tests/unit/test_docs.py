"""The documentation agrees with the repository: links, paths, settings, changelog."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE_PATH = re.compile(r"`((?:backend|connectors|docker|docs|requirements|tests)/[\w./*-]*)`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = HEADING.findall(page.read_text())
    return {re.sub(r"[^\w -]", "", text).strip().lower().replace(" ", "-") for text in headings}


@each_page
def test_each_link_leads_to_a_file_and_a_heading_that_exist(page: Path):
    broken = []
    for link in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@each_page
def test_each_path_in_code_type_exists(page: Path):
    paths = CODE_PATH.findall(page.read_text())
    assert [path for path in paths if not list(ROOT.glob(path.rstrip("/")))] == []


def test_each_decision_is_listed_and_dated():
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    records = [record for record in folder.glob("*.md") if record.name != "README.md"]
    assert records
    assert [record.name for record in records if f"]({record.name})" not in listed] == []
    dated = re.compile(r"\A# [^\n]+\n\n\*Decided \d{4}-\d\d-\d\d(, revised \d{4}-\d\d-\d\d)?\*\n")
    assert [record.name for record in records if not dated.match(record.read_text())] == []


def test_the_changelog_is_in_keep_a_changelog_form():
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    released = re.compile(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d")
    assert [version for version in versions[1:] if not released.fullmatch(version)] == []
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= CHANGES


def test_the_makefile_lists_each_of_its_targets():
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)$", text, re.MULTILINE)
    described = set(re.findall(r"^([a-z0-9-]+):.*## ", text, re.MULTILINE))
    assert described == set(phony.replace("\\", "").split())
