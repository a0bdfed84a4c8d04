from dataclasses import replace

import numpy as np
import pytest

from backend.domain.audits import BoxCount
from backend.domain.ids import TaskId
from backend.policies.certification.audit_certificate import problems
from backend.policies.certification.audit_verdict import judge
from backend.policies.certification.box_losses import BoxLosses, images_that_may_be_wrong
from tests.fakes.audited_boxes import BOX_PEOPLE, audited_boxes, honest, simulated_boxes


def perfect(images=400, boxes=10, sample=120):
    return audited_boxes(*(np.full(images, n) for n in (boxes, 0, 0)), sample)


def test_a_perfect_sample_accepts_the_whole_rest():
    images = perfect()
    images.label(images.audit.sample)
    file = images.finish()
    assert file
    assert len(file.accepted) == 280
    assert problems(file) == ()
    assert file.certificate.allowed == 280, "2,800 boxes, 280 of them wrong: all images may be"
    assert "at most 10 % of the accepted boxes are wrong" in file.certificate.sentence
    assert "2,800 boxes on 280 images accepted" in file.certificate.sentence
    assert "0 of 1,200 boxes wrong, 0 missed" in file.certificate.sentence


@pytest.mark.parametrize("kind", ["wrong", "missed"])
def test_too_many_wrong_boxes_or_too_many_missed_ones_accept_nothing(kind):
    columns = {"wrong": np.zeros(400, int), "missed": np.zeros(400, int)}
    columns[kind][::2] = 3
    images = audited_boxes(np.full(400, 10), columns["wrong"], columns["missed"], 120)
    images.label(images.audit.sample)
    assert images.finish() is None


def test_many_images_with_a_wrong_box_are_accepted_where_few_boxes_are_wrong():
    # given two images in five with one wrong box of ten, 4 % of the boxes
    wrong = (np.arange(1000) % 5 < 2).astype(int)
    images = audited_boxes(np.full(1000, 10), wrong, wrong, 200)
    images.label(images.audit.sample)
    assert images.finish()


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_audit_images_that_were_not_labeled_blind_count_as_wholly_wrong(share):
    images = perfect()
    sample = np.array(images.audit.sample)
    images.label(sample)
    images.spoil(sample[: int(share * len(sample))])
    assert images.finish() is None


def test_of_two_people_the_worse_opinion_counts():
    images = perfect(images=4, sample=2)
    task = TaskId(images.audit.sample[0])
    two = BoxCount(task, 9, 0), BoxCount(task, 7, 30)
    losses = BoxLosses.of(images.audit, two)
    assert losses.most[task] == pytest.approx([3 - 1, 10 - 0.1 * (7 + 10)]), "capped at 10"
    assert losses.least[task] == pytest.approx([1 - 1, 0 - 0.1 * 9])
    other = next(at for at in range(4) if at != task)
    assert losses.most[other] == pytest.approx([9, 9])
    assert losses.least[other] == pytest.approx([-1, -1])


def test_images_labeled_or_deleted_since_the_draw_are_not_accepted():
    images = perfect()
    images.label(images.audit.sample)
    images.label(images.free[:20])
    images.spoil(images.free[20:30])
    file = images.finish()
    assert file
    assert len(file.accepted) == 250
    assert problems(file) == ()


def test_more_images_than_were_accepted_cannot_be_wrong():
    assert images_that_may_be_wrong(0.05, 1000, 400) == 20 + 21
    assert images_that_may_be_wrong(0.05, 10, 400) == 10


@pytest.mark.parametrize("people", BOX_PEOPLE)
def test_test_and_check_agree_whatever_people_do(people):
    rng = np.random.default_rng(3)
    for _ in range(5):
        images = simulated_boxes(rng, images=300, sample=90, rate=0.06, risk=0.1)
        people(images, rng)
        file = images.finish()
        passed = judge(images.audit, images.findings(), 0).passed
        assert (file is None) == (passed is None)
        assert file is None or problems(file) == ()


def accepted_file():
    images = simulated_boxes(np.random.default_rng(5), images=400, sample=120, rate=0.03)
    honest(images, None)
    images.label(images.free[:5])
    file = images.finish()
    assert file
    return file


def forged(file, how):
    first, *others = file.boxes
    region = file.audit.region
    sampled = tuple(region[at].task for at in file.audit.sample)
    missing = replace(first, matched=region[first.task].boxes + 1)
    changes = {
        "the cap is lowered": {"audit": replace(file.audit, cap=1)},
        "unlabeled": {"boxes": (*file.boxes, BoxCount(file.accepted[0].task, 1, 0))},
        "more right than found": {"boxes": (missing, *others)},
        "mistakes left out": {"mistakes": file.mistakes[1:]},
        "others made wrong": {"left_mistakes": file.left},
        "the sample was worse": {
            "boxes": tuple(replace(one, matched=0) for one in file.boxes),
            "mistakes": sampled,
            "left_mistakes": file.left,
        },
        "the words differ": {"certificate": replace(file.certificate, allowed=0)},
    }
    return replace(file, **changes[how])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("the cap is lowered", "than the cap allows"),
        ("unlabeled", "no person labeled"),
        ("more right than found", "more boxes are right"),
        ("mistakes left out", "not those of the boxes"),
        ("others made wrong", "labeled since the draw are not those"),
        ("the sample was worse", "no prefix passes"),
        ("the words differ", "says something else"),
    ],
)
def test_a_forged_certificate_is_found_out(how, said):
    assert said in problems(forged(accepted_file(), how))[0]


def test_a_certificate_with_an_impossible_sum_is_checked_like_any_other():
    # given that people labeled nearly everything else meanwhile, and it was all wrong
    found = np.full(60, 2)
    images = audited_boxes(found, found * (np.arange(60) > 0), found * 0, 20, max_error=0.5)
    images.label(images.audit.sample)
    images.label(images.free[:-1])
    passed = judge(images.audit, images.findings(), 0).passed
    assert (images.finish() is None) == (passed is None)


def test_no_boxes_at_all_are_no_error():
    images = audited_boxes(np.zeros(90, int), np.zeros(90, int), np.zeros(90, int), 40)
    honest(images, None)
    assert images.finish() is None
