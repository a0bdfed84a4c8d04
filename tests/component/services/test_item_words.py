"""What people read about a project of texts speaks of texts, from connecting to the certificate."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from backend import wiring
from backend.domain.ids import JobId
from backend.domain.jobs import Algorithm, JobState, Mode
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.policies.certification.audit_certificate import problems
from backend.presentation import sentences, terminal_views
from backend.presentation.serializers import JobJson, StatusAndJobs, StatusJson, VersionsJson
from backend.stores.jobs import report_json
from backend.web.app import create_app
from tests.component.services.test_texts import text_world
from tests.fakes.jobs import FakeJobs
from tests.fakes.steps import FakeSteps
from tests.fakes.world import PROJECT

IMAGES = re.compile(r"\b(?:images?|pictures?)\b", re.IGNORECASE)
TASKS = 700
READ_ALOUD = ("alt", "aria-label", "title", "placeholder")


class VisibleText(HTMLParser):
    """Collects the words of a page that people see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in {"script", "style"}
        self.found += [value for name, value in attrs if value and name in READ_ALOUD]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.found.append(data)


def words_of(page: str) -> list[str]:
    reader = VisibleText()
    reader.feed(page)
    return reader.found


def texts_in(value: Any) -> Iterator[str]:
    """All texts among the values of a report, but not the names of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_in(one)
    elif hasattr(value, "columns"):  # a table of rich
        yield from texts_in([[column.header, *column.cells] for column in value.columns])


class Reader:
    """Does what a person does with a project of texts, and keeps all that it says."""

    def __init__(self, folder) -> None:
        self.world = text_world(folder, images=TASKS)
        self.jobs = FakeJobs()
        self.read: list[str] = []
        self.parts = self.world.parts(jobs=self.jobs)
        self.application = wiring.application(self.parts)
        self.pages = create_app(self.application, self.parts.settings).test_client()

    def progress(self, step: Step, done: int, of: int, detail: str = "") -> None:
        running = replace(self.world.job(), step=step.value, detail=detail)
        self.read.append(sentences.doing(running))

    def run(self, mode: Mode = Mode.ACTIVE_LEARNING, **changes: Any) -> Mapping[str, Any]:
        """Run a job of a kind; read its progress, its report, and the page of both."""
        number = JobId(f"job-{len(self.jobs.jobs) + 1}")
        job = replace(self.world.job(mode=mode, **changes), id=number)
        work = self.world.use_cases(jobs=self.jobs).work(mode)
        report = report_json(job, work(job, FakeSteps(self.progress)))
        ended = replace(
            job,
            state=JobState.FINISHED,
            report=report,
            version=report["version"],
            reason=report["reason"],
        )
        self.jobs.jobs[number] = ended
        self.world.reports.insert(0, report)
        self.read += texts_in([report, list(terminal_views.job_lines(JobJson.of(ended)))])
        self.open(f"/jobs/{number}")
        return report

    def look(self) -> None:
        """Read the status and the versions, on the terminal and on the pages."""
        status = self.application.status(PROJECT)
        joined = StatusAndJobs.join(StatusJson.of(status), self.jobs.history(PROJECT))
        versions = VersionsJson.of(self.application.cards(PROJECT), "")
        self.read += texts_in([sentences.first_labels(status, by_itself=True), joined.summary])
        self.read += texts_in(list(terminal_views.status_lines(joined)))
        self.read += texts_in(list(terminal_views.versions_lines(versions)))
        for page in ("", "/readiness", "/review"):
            self.open(f"/projects/{PROJECT}{page}")

    def open(self, path: str) -> None:
        answer = self.pages.get(path)
        assert answer.status_code == 200, path
        self.read += words_of(answer.get_data(as_text=True))

    def wrong(self) -> set[str]:
        return {text for text in self.read if IMAGES.search(text)}


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Somebody who went from a new project to a certificate, and did a few other things."""
    reader = Reader(tmp_path_factory.mktemp("texts"))
    world, label_studio = reader.world, reader.world.label_studio
    labeled, label_studio.people = label_studio.people, dict.fromkeys(label_studio.people)
    reader.look()
    label_studio.people = labeled
    label_studio.blank = frozenset({2, 50, 51})
    reader.look()
    reader.run(Mode.SUGGESTING, count=5)
    reader.run(Mode.GROUPING, groups=2)
    reader.run()
    reader.parts.changes.changed(PROJECT, 3)
    reader.look()
    world.label(range(13, 101))
    reader.run(algorithm=Algorithm.PRECISE, accept=True)
    reader.look()
    sample = label_studio.lists[TabTitle.AUDIT]
    reader.run(Mode.AUDITING)
    world.label(sample)
    reader.run(Mode.AUDITING)
    reader.look()
    return reader


def test_the_walk_ends_with_a_certificate(reader):
    ended = reader.jobs.jobs[JobId("job-6")]
    assert problems(reader.world.audits.certificate(PROJECT, ended.id)) == ()
    assert "random texts" in ended.reason
    assert len(reader.read) > 500


def test_nothing_that_people_read_about_texts_says_images(reader):
    assert reader.wrong() == set()
