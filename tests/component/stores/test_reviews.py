"""The index and the decisions of the review page, in a file."""

import pytest

from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.reviews import (
    OPEN,
    ReviewDecision,
    ReviewImage,
    ReviewLabel,
    ReviewScreen,
    ReviewVerdict,
)
from backend.stores.reviews import ReviewFiles
from tests.fakes.domain import NOW

PETS = ProjectId(1)
OLD, NEW = VersionName("al-0001-aaaa"), VersionName("al-0002-bbbb")
CONFIRMED, WRONG = (
    ReviewDecision(verdict) for verdict in (ReviewVerdict.CONFIRMED, ReviewVerdict.WRONG)
)
DOG = ReviewDecision(ReviewVerdict.RELABELED, {0: (Label("dog"),)})


def image(task: int, score: float, **labels: float) -> ReviewImage:
    return ReviewImage(TaskId(task), score, {Label(name): value for name, value in labels.items()})


def screen(name: str, decisions, version=NEW) -> ReviewScreen:
    return ReviewScreen(name, version, "ann", decisions)


@pytest.fixture
def reviews(tmp_path) -> ReviewFiles:
    files = ReviewFiles(tmp_path, lambda: NOW)
    files.index(
        PETS,
        NEW,
        [image(1, 0.5, cat=0.5), image(2, 0.9, cat=0.9, dog=0.7), image(3, 0.7, dog=0.7)],
    )
    return files


def test_a_project_that_was_never_predicted_has_nothing_to_review(tmp_path):
    files = ReviewFiles(tmp_path, lambda: NOW)
    assert files.labels(PETS) == []
    assert files.version(PETS) is None
    assert files.undecided(PETS, None, 0, 0, 10) == []
    assert files.progress(PETS).unsaved == 0
    assert files.projects() == []


def test_images_are_listed_the_surest_first_by_label_and_confidence(reviews):
    assert reviews.version(PETS) == NEW
    assert reviews.undecided(PETS, None, 0, 0, 10) == [2, 3, 1]
    assert reviews.undecided(PETS, Label("cat"), 0, 0, 10) == [2, 1]
    assert reviews.undecided(PETS, None, 0.6, 1, 10) == [3]
    assert reviews.labels(PETS) == [
        ReviewLabel(Label("cat"), 2, pytest.approx(0.7)),
        ReviewLabel(Label("dog"), 2, pytest.approx(0.7)),
    ]


def test_what_is_decided_is_listed_no_more_and_waits_to_be_saved(reviews):
    reviews.decide(PETS, screen("s", {TaskId(2): CONFIRMED, TaskId(1): DOG}))
    assert reviews.undecided(PETS, None, 0, 0, 10) == [3]
    assert reviews.labels(PETS) == [ReviewLabel(Label("dog"), 1, 0.7)]
    waiting = reviews.unsaved(PETS, 10)
    assert [(one.task, one.version, one.wanted, one.saved) for one in waiting] == [
        (2, NEW, CONFIRMED, OPEN),
        (1, NEW, DOG, OPEN),
    ]
    assert reviews.projects() == [PETS]


def test_a_repeated_screen_changes_nothing_and_a_changed_one_counts(reviews):
    sent = screen("s", {TaskId(2): CONFIRMED})
    reviews.decide(PETS, sent)
    reviews.saved(PETS, reviews.unsaved(PETS, 10)[0], 77)
    reviews.decide(PETS, sent)
    assert reviews.unsaved(PETS, 10) == []
    reviews.decide(PETS, screen("s", {TaskId(2): WRONG}))
    (left,) = reviews.unsaved(PETS, 10)
    assert (left.wanted, left.saved, left.annotation) == (WRONG, CONFIRMED, 77)


def test_a_decision_made_while_another_one_was_saved_still_waits(reviews):
    reviews.decide(PETS, screen("s", {TaskId(2): CONFIRMED}))
    (saving,) = reviews.unsaved(PETS, 10)
    reviews.decide(PETS, screen("s", {TaskId(2): WRONG}))
    reviews.saved(PETS, saving, 77)
    assert [one.wanted for one in reviews.unsaved(PETS, 10)] == [WRONG]


def test_decisions_of_a_screen_or_about_a_label_are_taken_back(reviews):
    reviews.decide(PETS, screen("first", {TaskId(1): CONFIRMED, TaskId(2): CONFIRMED}))
    reviews.decide(PETS, screen("second", {TaskId(3): DOG}))
    assert reviews.reopen(PETS, screen="first") == 2
    assert reviews.undecided(PETS, None, 0, 0, 10) == [2, 1]
    assert reviews.reopen(PETS, label=Label("dog")) == 1
    assert reviews.reopen(PETS, label=Label("dog")) == 0
    assert reviews.unsaved(PETS, 10) == []


def test_an_image_that_is_being_taken_back_is_listed_once_it_is(reviews):
    reviews.decide(PETS, screen("s", {TaskId(2): CONFIRMED}))
    reviews.saved(PETS, reviews.unsaved(PETS, 10)[0], 77)
    reviews.reopen(PETS, screen="s")
    assert reviews.undecided(PETS, None, 0, 0, 10) == [3, 1]
    reviews.saved(PETS, reviews.unsaved(PETS, 10)[0], None)
    assert reviews.undecided(PETS, None, 0, 0, 10) == [2, 3, 1]


def test_the_index_of_a_new_version_keeps_what_was_decided_about_the_old_one(reviews):
    reviews.decide(PETS, screen("s", {TaskId(2): WRONG}))
    reviews.index(PETS, VersionName("al-0003-cccc"), [image(2, 0.8, cat=0.8)])
    assert reviews.undecided(PETS, None, 0, 0, 10) == [2]
    assert [one.task for one in reviews.unsaved(PETS, 10)] == [2]
    assert reviews.unsaved_versions(PETS) == {NEW}
    reviews.saved(PETS, reviews.unsaved(PETS, 10)[0], None)
    assert reviews.unsaved_versions(PETS) == set()


def test_images_that_need_no_review_are_dropped(reviews):
    reviews.drop(PETS, [TaskId(2)])
    assert reviews.undecided(PETS, None, 0, 0, 10) == [3, 1]
    assert [one.images for one in reviews.labels(PETS)] == [1, 1]


def test_a_call_that_broke_off_is_known_after_a_restart(reviews, tmp_path):
    reviews.decide(PETS, screen("s", {TaskId(2): DOG}))
    reviews.begin(PETS, "reviewed-1234", reviews.unsaved(PETS, 10))
    (left,) = ReviewFiles(tmp_path, lambda: NOW).unsaved(PETS, 10)
    assert left.batch == "reviewed-1234"
    reviews.saved(PETS, left, 5)
    assert reviews.unsaved(PETS, 10) == []


def test_progress_names_what_could_not_be_saved(reviews):
    reviews.decide(PETS, screen("s", {TaskId(2): CONFIRMED, TaskId(3): WRONG}))
    reviews.saved(PETS, reviews.unsaved(PETS, 10)[0], None, "somebody labeled it first")
    progress = reviews.progress(PETS)
    assert (progress.unsaved, progress.saved) == (1, 1)
    assert progress.problems == ["task 2: somebody labeled it first"]


def test_images_of_many_rectangles_are_found_by_the_confidence_in_their_labels(reviews):
    reviews.index(PETS, NEW, [image(1, 0.01, cat=0.9, dog=0.7), image(2, 0.02, cat=0.6)])
    assert reviews.undecided(PETS, None, 0.75, 0, 10) == [1]
    assert reviews.undecided(PETS, None, 0.5, 0, 10) == [2, 1], "still the surest first"
