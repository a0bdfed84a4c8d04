from collections import Counter

from backend.domain.errors import LabelStudioUnreachable
from backend.domain.ids import ProjectId
from backend.processes.review_saving_loop import REST, ReviewSavingLoop
from tests.integration.polling import eventually

FIRST, SECOND = ProjectId(1), ProjectId(2)


class Saver:
    """Saves so many batches of each project; fails for those in `failing`."""

    def __init__(self, **batches: int) -> None:
        self.left = {FIRST: batches.get("first", 0), SECOND: batches.get("second", 0)}
        self.failing: dict[ProjectId, Exception] = {}
        self.calls = Counter[ProjectId]()
        self.now = 0.0

    def save(self, project: ProjectId) -> int:
        self.calls[project] += 1
        if project in self.failing:
            raise self.failing[project]
        self.left[project] -= 1
        return max(0, self.left[project] + 1)

    def loop(self) -> ReviewSavingLoop:
        return ReviewSavingLoop(
            lambda: [FIRST, SECOND], self.save, every=0.01, clock=lambda: self.now
        )


def test_every_project_is_saved_until_nothing_is_left():
    saver = Saver(first=2, second=1)
    saver.loop().save_safely()
    assert saver.calls == {FIRST: 3, SECOND: 2}


def test_a_project_that_fails_rests_and_keeps_no_other_from_being_saved():
    for failure in (LabelStudioUnreachable("no answer", "wait"), RuntimeError("a mistake")):
        saver = Saver(second=1)
        saver.failing[FIRST] = failure
        loop = saver.loop()
        loop.save_safely()
        loop.save_safely()
        assert saver.calls == {FIRST: 1, SECOND: 3}
        saver.now += REST + 1
        loop.save_safely()
        assert saver.calls[FIRST] == 2


def test_what_is_wrong_with_the_folder_does_not_end_the_loop():
    def broken():
        raise OSError("no such folder")

    ReviewSavingLoop(broken, lambda _: 0).save_safely()


def test_it_works_in_the_background_while_the_block_runs():
    saver = Saver(first=1)
    with saver.loop().running():
        assert eventually(lambda: saver.calls[FIRST] >= 2, 30)
