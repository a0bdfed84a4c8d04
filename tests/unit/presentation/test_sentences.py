"""The sentences that every face shows."""

from dataclasses import replace

import pytest

from backend.domain.errors import Reason, ReasonCode, Refused
from backend.domain.ids import ProjectId
from backend.domain.jobs import JobRequest, JobState
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
    short = ProjectStatus(a_project(), (TOO_FEW_DOGS,), (), (), 3, 40, None, None, missing=7)
    lines = first_labels(short, by_itself=True)
    assert lines[0] == "The first training starts by itself as soon as this is done:"
    assert "class 'dog' has 3 of 5 images" in lines[1]
    assert lines[2] == "  At least 7 labeled images are missing until the first training."
    assert "in the tab 'Label next'" in lines[3]
    empty = first_labels(replace(short, unlabeled=0), by_itself=True)
    assert "Once there are images, autolabel connect 2" in empty[-1]
    assert "can start" in first_labels(short, by_itself=False)[0]


@pytest.mark.parametrize("changes", [{"reasons": ()}, {"version": a_version()}])
def test_a_project_that_is_ready_or_trained_is_told_nothing_of_first_labels(changes):
    short = ProjectStatus(a_project(), (TOO_FEW_DOGS,), (), (), 3, 40, None, None)
    assert first_labels(replace(short, **changes), by_itself=True) == ()


def test_one_missing_image_is_one():
    known = ProjectStatus(a_project(), (TOO_FEW_DOGS,), (), (), 3, 40, a_version(), None)
    short = replace(known, missing=1)
    words = "At least 1 labeled image is missing until the next training."
    assert sentences.missing(short) == words
    assert sentences.missing(replace(short, missing=0)) == ""


def test_a_job_that_nobody_asked_for_says_so():
    request = JobRequest(ProjectId(2), by_itself=True)
    running = a_job(request=request, step="train", progress=0.4)
    assert sentences.doing(running) == (
        "A job that started by itself is running: training, 40% done."
    )
    ended = a_job(state=JobState.FINISHED, request=request, reason="the first version")
    assert sentences.doing(ended) == (
        "The last job, which started by itself, finished: the first version."
    )
