"""What people decide on the review page arrives in Label Studio, and can be taken back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from backend.domain.answers import Choices
from backend.domain.audits import OpenAudit
from backend.domain.errors import BadInput, LabelStudioUnreachable
from backend.domain.ids import AuditId, ControlName, Label, TaskId, VersionName
from backend.domain.reviews import OPEN, ReviewDecision, ReviewScreen, ReviewVerdict
from backend.domain.versions import Ledger
from backend.services import review_saving
from backend.services.project_tasks import trainable
from backend.stores.project_folders import ProjectFolders
from tests.fakes.domain import NOW
from tests.fakes.world import CHOICE, PROJECT, World

CONFIRMED, WRONG = (
    ReviewDecision(verdict) for verdict in (ReviewVerdict.CONFIRMED, ReviewVerdict.WRONG)
)
CATS = ReviewDecision(ReviewVerdict.RELABELED, {0: (Label("cat"),)})
A, B, C = TaskId(13), TaskId(14), TaskId(15)


class Page:
    """The review page of a project whose first job has run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.version = VersionName(world.run()["version"])
        cases = world.use_cases()
        self.review, self.saving = cases.reviewing, cases.review_saving

    def decide(self, decisions, name="screen"):
        self.review.decide(PROJECT, ReviewScreen(name, self.version, "ann", decisions))

    def save(self):
        while self.saving.save(PROJECT):
            pass

    def labels(self, *tasks):
        people = self.world.label_studio.people
        return [people[task] and people[task][CHOICE].labels[0] for task in tasks]

    @property
    def problems(self):
        return self.review.progress(PROJECT).problems


@pytest.fixture
def page(tmp_path):
    return Page(World(tmp_path))


def test_confirmed_images_get_the_predicted_label_in_one_call(page):
    page.decide({A: CONFIRMED, B: CONFIRMED, C: CONFIRMED})
    page.save()
    assert page.labels(A, B, C) == ["dog", "cat", "dog"]
    assert page.world.label_studio.accepted_at_once == [3]
    assert page.review.progress(PROJECT).unsaved == 0


def test_confirmed_images_are_labels_of_people_for_the_next_training(page):
    page.decide({A: CONFIRMED})
    page.save()
    labeled = list(page.world.label_studio.labeled(PROJECT, None))
    assert A in {one.image.task for one in trainable(labeled, page.world.ledgers.load(PROJECT))}


def test_a_relabeled_image_gets_the_other_label(page):
    page.decide({A: CATS, C: CATS})
    page.save()
    assert page.labels(A, C) == ["cat", "cat"]
    assert page.problems == []


def test_a_wrong_one_stays_unlabeled_and_comes_first_among_those_to_confirm(page):
    page.decide({A: WRONG})
    page.save()
    assert page.labels(A) == [None]
    (part,) = page.world.label_studio.replaced[A, page.version]
    assert part["id"].startswith("1000-0000000000-")
    assert part["meta"]["text"] == ["hard 1.00: marked as wrong by a person"]
    assert part["value"] == {"choices": ["dog"]}


def test_undo_of_a_screen_deletes_its_annotations_and_restores_its_predictions(page):
    page.decide({A: CONFIRMED, B: WRONG, C: CATS}, "first")
    page.decide({TaskId(16): CONFIRMED}, "second")
    page.save()
    assert page.review.reopen(PROJECT, screen="first") == 3
    page.save()
    assert page.labels(A, B, C, TaskId(16)) == [None, None, None, "cat"]
    restored = page.world.label_studio.replaced[B, page.version]
    assert restored == _stored(page, B)["result"]
    assert A in page.world.reviews.undecided(PROJECT, None, 0, 0, 99)


def test_undo_by_label_takes_back_whatever_screen_it_was_on(page):
    page.decide({A: CONFIRMED}, "first")
    page.decide({C: CONFIRMED, B: CONFIRMED}, "second")
    page.save()
    page.review.reopen(PROJECT, label=Label("dog"))
    page.save()
    assert page.labels(A, B, C) == [None, "cat", None]


def test_a_change_of_mind_ends_in_what_was_decided_last(page):
    page.decide({A: CONFIRMED, B: WRONG})
    page.save()
    page.decide({A: CATS, B: CONFIRMED})
    page.save()
    assert page.labels(A, B) == ["cat", "cat"]
    page.decide({A: CONFIRMED, B: OPEN})
    page.save()
    assert page.labels(A, B) == ["dog", None]


def test_what_a_person_changed_since_is_left_alone(page):
    page.decide({A: CONFIRMED, B: CONFIRMED})
    page.save()
    page.world.label_studio.correct(A, {ControlName("c"): Choices((Label("cat"),))})
    page.review.reopen(PROJECT, screen="screen")
    page.save()
    assert page.labels(A, B) == ["cat", None]
    assert page.problems == [f"task {A}: {review_saving.CHANGED}"]


def test_an_image_that_somebody_labeled_first_is_reported_and_never_deleted(page):
    page.decide({A: CONFIRMED})
    page.world.label([A])
    page.save()
    assert page.problems == [f"task {A}: {review_saving.LABELED_ELSEWHERE}"]
    page.review.reopen(PROJECT, screen="screen")
    page.save()
    assert page.labels(A) == ["dog"]


def test_a_call_whose_end_nobody_saw_is_found_and_not_repeated(page):
    studio, accept = page.world.label_studio, page.world.label_studio.accept

    def break_off(*given):
        accept(*given)
        raise LabelStudioUnreachable("no answer", "wait")

    for decision in (CONFIRMED, CATS):
        task = A if decision is CONFIRMED else C
        page.decide({task: decision}, decision.verdict.value)
        studio.accept = break_off
        with pytest.raises(LabelStudioUnreachable):
            page.save()
        studio.accept = accept
        page.save()
    assert page.labels(A, C) == ["dog", "cat"]
    assert page.problems == []
    page.review.reopen(PROJECT, screen="confirmed")
    page.save()
    assert page.labels(A, C) == [None, "cat"]


def test_images_being_taken_back_are_shown_again_once_they_are(page):
    before = [one.image.task for one in page.review.screen(PROJECT, None, 0, 0)]
    page.decide(dict.fromkeys(before, CONFIRMED))
    page.save()
    page.review.reopen(PROJECT, screen="screen")
    meanwhile = [one.image.task for one in page.review.screen(PROJECT, None, 0, 0)]
    assert not set(meanwhile).intersection(before)
    page.save()
    assert [one.image.task for one in page.review.screen(PROJECT, None, 0, 0)] == before


def test_an_undo_while_a_screen_is_being_saved_takes_back_what_it_made(page):
    studio, accept = page.world.label_studio, page.world.label_studio.accept

    def undone_meanwhile(*given):
        made = accept(*given)
        page.review.reopen(PROJECT, screen="screen")
        assert A not in {one.image.task for one in page.review.screen(PROJECT, None, 0, 0)}
        assert page.review.progress(PROJECT).unsaved == 1
        return made

    page.decide({A: CONFIRMED})
    studio.accept = undone_meanwhile
    page.save()
    assert page.labels(A) == [None]
    assert A in {one.image.task for one in page.review.screen(PROJECT, None, 0, 0)}


@pytest.mark.parametrize("decision", [CONFIRMED, CATS], ids=["confirmed", "relabeled"])
@pytest.mark.parametrize("then", [OPEN, WRONG], ids=["open", "wrong"])
def test_an_undo_after_a_call_that_broke_off_takes_back_what_it_made(page, decision, then):
    studio, accept = page.world.label_studio, page.world.label_studio.accept

    def break_off(*given):
        accept(*given)
        raise LabelStudioUnreachable("no answer", "wait")

    page.decide({A: decision})
    studio.accept = break_off
    with pytest.raises(LabelStudioUnreachable):
        page.save()
    studio.accept = accept
    page.decide({A: then})
    page.save()
    assert page.labels(A) == [None]
    assert page.review.progress(PROJECT).unsaved == 0


def test_audit_images_are_neither_shown_nor_confirmed(page):
    page.decide({B: CONFIRMED})
    opened = OpenAudit(AuditId(1), page.version, frozenset({A, B}), "label these")
    page.world.ledgers.save(PROJECT, replace(Ledger(), open_audit=opened))
    assert A not in {one.image.task for one in page.review.screen(PROJECT, None, 0, 0)}
    with pytest.raises(BadInput, match="audited"):
        page.decide({A: CONFIRMED})
    page.save()
    assert page.labels(A, B) == [None, None]
    assert page.problems == [f"task {B}: {review_saving.AUDITED}"]


def test_decisions_about_predictions_that_a_job_replaced_are_refused(page):
    page.world.run()
    with pytest.raises(BadInput, match="is shown now"):
        page.decide({A: CONFIRMED})


def test_decisions_are_not_saved_in_another_project_of_the_same_number(page):
    page.decide({A: CONFIRMED})
    studio = page.world.label_studio
    first = replace(studio.known[PROJECT], created_at=NOW)
    ProjectFolders(page.world.folder).claim(first)
    studio.known[PROJECT] = replace(first, created_at=NOW + timedelta(days=1))
    with pytest.raises(BadInput):
        page.save()
    with pytest.raises(BadInput):
        page.review.screen(PROJECT, None, 0, 0)
    assert page.labels(A) == [None]


def test_images_labeled_elsewhere_leave_the_page(page):
    shown = [one.image.task for one in page.review.screen(PROJECT, None, 0, 0)]
    page.world.label(shown[:3])
    again = [one.image.task for one in page.review.screen(PROJECT, None, 0, 0)]
    assert again[: len(shown) - 3] == shown[3:]
    page.world.label(TaskId(task) for task in range(13, 41))
    assert page.review.screen(PROJECT, None, 0, 0) == []


def test_a_project_without_predictions_has_an_empty_page(tmp_path):
    review = World(tmp_path).use_cases().reviewing
    assert review.screen(PROJECT, None, 0, 0) == []
    assert review.version(PROJECT) is None


def _stored(page, task):
    ref = page.world.label_studio.ref(task)
    return page.world.stored.get(PROJECT, page.version, [ref])[ref]
