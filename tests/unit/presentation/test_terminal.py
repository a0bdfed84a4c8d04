from backend.presentation import terminal
from backend.presentation.serializers import status_json
from tests.fakes.backend import FakeBackend, FakeLabelStudio, a_project
from tests.unit.presentation.test_sentences import EMPTY, SHORT

REPORT = {
    "version": "al-0001-3f9c",
    "labeled": 10,
    "predicted": 30,
    "hard": 3,
    "unreadable": [],
    "seconds": {"train": 2.0},
}
JOB = {"id": "job-1", "state": "finished", "reason": ""}


def test_quality_is_said_as_everywhere():
    words = terminal.job_words({**JOB, "report": {**REPORT, "metrics": {"accuracy": 0.5}}})
    assert "  measured   Accuracy 50.0%" in list(words)


def test_a_version_kept_aside_is_told_from_the_one_whose_predictions_are_shown():
    other = {**REPORT, "metrics": {}, "shown": "al-0000-aaaa"}
    words = list(terminal.job_words({**JOB, "report": other}))
    assert "  shown      al-0000-aaaa: the predictions are of this version" in words


def test_a_status_says_what_the_other_faces_say():
    # given a project that lacks two things and has a hint
    project = a_project()
    backend = FakeBackend(
        label_studio=FakeLabelStudio({project.id: project}),
        reasons=(SHORT, EMPTY),
        warnings=("label on",),
    )
    status = {**status_json(backend.status(project.id)), "jobs": []}
    # then its sentences are those of the summary
    lines = [line for line in terminal.status_words(status) if isinstance(line, str)]
    assert lines[1:4] == [
        "[red]Not ready yet: 0 labeled, 100 unlabeled images.[/]",
        f"  - {SHORT.text}",
        f"  - {EMPTY.text}",
    ]
    assert lines[4] == "Note: label on."
