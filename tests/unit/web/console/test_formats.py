"""How the page says numbers and times, and what it works out of a report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.ids import ControlName, JobId, Label, ProjectId
from backend.domain.jobs import Algorithm, JobRequest, JobState, Mode
from backend.domain.projects import LabelCount
from backend.web.console import formats, views
from tests.fakes.domain import a_job

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.42, "0.4 s"),
        (8, "8 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (7200, "2 h 0 min"),
        (12_000, "3 h 20 min"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, expected):
    assert formats.duration(seconds) == expected


@pytest.mark.parametrize(
    ("progress", "spent", "expected"),
    [
        (0.0, 10, ""),
        (0.02, 100, ""),
        (0.5, 5, "a few seconds left"),
        (0.5, 30, "about 30 s left"),
        (0.25, 60, "about 3 min left"),
    ],
)
def test_the_time_left_is_estimated_once_there_is_enough_progress(progress, spent, expected):
    job = a_job(progress=progress, started_at=START)
    assert formats.time_left(job, START + timedelta(seconds=spent)) == expected


def test_an_algorithm_is_named_only_where_it_makes_a_difference():
    learning = JobRequest(ProjectId(2), algorithm=Algorithm.PRECISE)
    assert formats.job_title(learning) == "Active learning, precise"
    assert formats.job_title(replace(learning, mode=Mode.GROUPING)) == "Auto grouping"
    undo = replace(learning, mode=Mode.UNDO, undoes=JobId("job-1"))
    assert formats.job_title(undo) == "Undo of job-1"


def test_a_job_that_ended_has_no_time_left():
    job = a_job(state=JobState.FINISHED, progress=0.5, started_at=START)
    assert formats.time_left(job, START + timedelta(seconds=60)) == ""


@given(st.lists(st.integers(0, 10_000)), st.integers(5, 100))
def test_bars_and_the_mark_of_the_minimum_stay_within_the_chart(counts, needed):
    rows = [LabelCount(ControlName("c"), Label(f"l{n}"), n) for n in counts]
    for bar in views.label_bars(rows, needed):
        assert 0 <= bar.length <= 100
        assert bar.mark is not None
        assert 0 < bar.mark <= 100
        assert (bar.length >= bar.mark) == (bar.value >= needed)


def test_a_used_label_below_the_minimum_is_short_and_an_unused_one_is_not():
    rows = [LabelCount(ControlName("c"), Label(str(n)), n) for n in (0, 4, 5)]
    assert [bar.enough for bar in views.label_bars(rows, 5)] == [True, False, True]


def test_reasons_are_shown_as_bars_and_those_of_the_same_words_add_up():
    rows = [("low confidence", 3), ("blurred (a label)", 7), ("low confidence", 2)]
    report = {"hard_reasons": [{"words": words, "images": images} for words, images in rows]}
    assert [(bar.name, bar.value) for bar in views.reason_bars(report)] == [
        ("blurred (a label)", 7),
        ("low confidence", 5),
    ]


@pytest.mark.parametrize(
    "report", [{}, {"labels": ["cat"]}, {"labels": None}, {"hard_reasons": "x"}]
)
def test_a_report_without_tables_has_none(report):
    assert views.label_tables(report) == []
    assert views.reason_bars(report) == []


def test_the_table_of_labels_takes_what_the_report_measured():
    row = {"control": "c", "label": "cat", "images": 1200, "recall": 0.5, "f1": None}
    (table,) = views.label_tables({"per_class": [row]})
    assert table.heads == ["Images", "Recall", "F1"]
    assert table.rows == [["cat", "1,200", "50.0%", "not measured"]]
    assert table.control == ""


def test_each_of_several_controls_has_a_table_of_its_own():
    rows = [
        {"control": "kind", "label": "cat", "f1": 0.5},
        {"control": "parts", "label": "paw", "ap50": 0.25},
    ]
    kind, parts = views.label_tables({"per_class": rows})
    assert (kind.control, kind.heads, kind.rows) == ("kind", ["F1"], [["cat", "50.0%"]])
    assert (parts.control, parts.heads) == ("parts", ["AP at IoU 0.5"])


def test_what_a_training_tried_is_shown_with_metrics_and_whether_it_was_kept():
    tried = [
        {"name": "pseudo-labels", "log_loss": 0.4123, "kept": True},
        {"name": "teacher and student", "images": 30, "kept": False, "reason": "time was up"},
    ]
    assert views.tried({"notes": {"kind": {"tried": tried}, "parts": {}}}) == [
        "pseudo-labels: log loss 0.412, kept",
        "teacher and student: not kept (time was up)",
    ]
    assert views.tried({}) == []
