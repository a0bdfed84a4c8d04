import pytest

from backend.domain.jobs import JobState
from backend.presentation.serializers import JobJson, StatusAndJobs, StatusJson
from backend.presentation.terminal_views import job_lines, newest_forecast, status_lines
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import NOTHING_LEFT, TOO_FEW_DOGS, a_job, a_project
from tests.fakes.label_studio import FakeProjects

REPORT = {
    "version": "al-0001-3f9c",
    "labeled": 10,
    "predicted": 30,
    "hard": 3,
    "unreadable": [],
    "metrics": {},
    "seconds": {"train": 2.0},
}


def a_finished_job(**report) -> JobJson:
    return JobJson.of(a_job(state=JobState.FINISHED, report={**REPORT, **report}))


def test_quality_reads_as_everywhere_else():
    lines = list(job_lines(a_finished_job(metrics={"accuracy": 0.5})))
    assert "  measured   Accuracy 50.0%" in lines


def test_a_version_that_was_not_promoted_is_distinguished_from_the_one_that_is_shown():
    lines = list(job_lines(a_finished_job(shown="al-0000-aaaa")))
    assert "  shown      al-0000-aaaa: the predictions are of this version" in lines


def test_images_that_cannot_be_read_take_one_line_a_fault():
    unreadable = [{"task": n, "reason": f"{n}.png: 404"} for n in range(1200)]
    faults = [{"reason": "404", "images": 1200, "task": 0}]
    lines = list(job_lines(a_finished_job(unreadable=unreadable, unreadable_faults=faults)))
    assert "  unreadable 1200 images" in lines
    assert "    1,200 images, the first of task 0: 404" in lines


def test_a_status_has_the_sentences_of_its_summary():
    # given a project that lacks two things and has a hint
    project = a_project()
    backend = FakeBackend(
        label_studio=FakeProjects({project.id: project}),
        reasons=(TOO_FEW_DOGS, NOTHING_LEFT),
        warnings=("label on",),
    )
    status = StatusAndJobs.join(StatusJson.of(backend.status(project.id)), [])
    # then its lines are those sentences
    lines = [line for line in status_lines(status) if isinstance(line, str)]
    assert lines[1:4] == [
        "[red]Not ready yet: 0 labeled, 100 unlabeled images.[/]",
        f"  - {TOO_FEW_DOGS.text}",
        f"  - {NOTHING_LEFT.text}",
    ]
    assert lines[4] == "Note: label on."


def test_the_newest_forecast_is_shown():
    forecast = {"reason": "label on"}
    reports = [None, {"forecast": forecast}, {"forecast": {"reason": "older"}}]
    jobs = [JobJson.of(a_job(report=report)) for report in reports]
    assert newest_forecast(jobs) == forecast
    assert newest_forecast([]) is None


@pytest.mark.parametrize("report", [{"predicted": 3}, {**REPORT, "seconds": None}, {"version": 7}])
def test_a_report_of_another_version_costs_its_lines_only(report: dict[str, object]):
    first, second = job_lines(JobJson.of(a_job(state=JobState.FINISHED, report=report)))
    assert "finished" in first
    assert second == "  report     of another version of Autolabel; see report.json"
