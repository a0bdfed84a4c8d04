import math

import pytest

from backend import terminal

REPORT = {
    "version": "al-0001-3f9c",
    "labeled": 10,
    "predicted": 30,
    "hard": 3,
    "unreadable": [],
    "seconds": {"train": 2.0},
}
JOB = {"id": "job-1", "state": "finished", "because": ""}


def measured(metrics):
    words = terminal.job_words({**JOB, "report": {**REPORT, "metrics": metrics}})
    return next(line for line in words if "measured" in line)


@pytest.mark.parametrize("metrics", [{}, {"map50": None}, {"map50": math.nan}])
def test_quality_that_was_not_measured_is_said_in_words(metrics):
    assert measured(metrics).endswith("nothing: no labeled image could be held out yet")


def test_only_figures_that_were_measured_are_listed():
    assert measured({"map50": 0.5, "ece": None}).endswith("measured   map50 0.500")
