"""The sentences that every face shows."""

from dataclasses import replace

import pytest

from backend.domain.errors import Reason, ReasonCode, Refused
from backend.domain.jobs import JobState
from backend.domain.projects import ProjectStatus
from backend.presentation import sentences
from backend.presentation.sentences import first_labels
from tests.fakes.domain import NOTHING_LEFT, TOO_FEW_DOGS, a_job, a_project, a_version


def test_a_refusal_says_what_to_do_about_each_reason():
    assert sentences.refusal((TOO_FEW_DOGS, NOTHING_LEFT)) == (
        "The job was not started:",
        "class 'dog' has 3 of 5 images. Label 2 more.",
        "no unlabeled image left. Import more.",
    )


def test_a_refusal_in_one_line_has_each_hint_once():
    other = Reason(ReasonCode.MODEL_MISMATCH, "it is of another kind", hint="Label 2 more")
    assert str(Refused((TOO_FEW_DOGS, other, NOTHING_LEFT))) == (
        "class 'dog' has 3 of 5 images; it is of another kind; no unlabeled image left. "
        "Label 2 more. Import more"
    )


@pytest.mark.parametrize(
    ("step", "detail", "expected"),
    [
        ("", "", "starting"),
        ("push", "", "writing to Label Studio"),
        ("train", "epoch 3 of 17", "training: epoch 3 of 17"),
        ("waiting for Label Studio", "", "waiting for Label Studio"),
        ("a step of an earlier version", "", "a step of an earlier version"),
    ],
)
def test_a_running_job_says_what_it_is_at(step, detail, expected):
    job = a_job(step=step, detail=detail, progress=0.5)
    assert sentences.doing(job) == f"A job is running: {expected}, 50% done."


def test_a_waiting_job_says_what_to_check():
    assert sentences.doing(a_job(state=JobState.QUEUED)) == (
        "A job is waiting for a worker. "
        "If it keeps waiting, check the installation with: autolabel doctor"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the disk is full", "The disk is full."),
        ("Is it running?", "Is it running?"),
        ("mode: what is this", "mode: what is this."),
    ],
)
def test_a_message_becomes_a_sentence_of_its_own(text, expected):
    assert sentences.sentence(text) == expected


def test_a_project_without_a_model_is_told_what_is_missing_and_what_to_label_first():
    short = ProjectStatus(a_project(), (TOO_FEW_DOGS,), (), (), 3, 40, None, None)
    lines = first_labels(short, by_itself=True)
    assert lines[0] == "The first training starts by itself as soon as this is done:"
    assert "class 'dog' has 3 of 5 images" in lines[1]
    assert "autolabel suggest 2" in lines[2]
    assert "can start" in first_labels(short, by_itself=False)[0]


@pytest.mark.parametrize("changes", [{"reasons": ()}, {"version": a_version()}])
def test_a_project_that_is_ready_or_trained_is_told_nothing_of_first_labels(changes):
    short = ProjectStatus(a_project(), (TOO_FEW_DOGS,), (), (), 3, 40, None, None)
    assert first_labels(replace(short, **changes), by_itself=True) == ()
