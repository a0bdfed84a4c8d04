import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import QueueUnreachable, Stopped
from backend.jobs.boundary import JobProgress, share_done

WEIGHTS = {"list": 1.0, "embed": 3.0, "train": 4.0}


class Reports:
    """Remembers what was reported, at times that the test sets."""

    def __init__(self, answer: str | None = "") -> None:
        self.now = 0.0
        self.answer = answer
        self.seen: list[tuple[float, str]] = []

    def __call__(self, share: float, step: str) -> str | None:
        self.seen.append((share, step))
        return self.answer

    def clock(self) -> float:
        return self.now


def test_the_share_counts_finished_steps_and_a_part_of_the_running_one():
    assert share_done(WEIGHTS, "list", 0, 10) == 0
    assert share_done(WEIGHTS, "embed", 1, 3) == pytest.approx(2 / 8)
    assert share_done(WEIGHTS, "train", 5, 5) == 1


def test_a_step_may_say_more_after_a_colon():
    assert share_done(WEIGHTS, "train: epoch 3 of 5", 1, 2) == share_done(WEIGHTS, "train", 1, 2)


def test_a_step_with_nothing_to_do_is_done():
    assert share_done(WEIGHTS, "list", 0, 0) == pytest.approx(1 / 8)


def test_a_step_without_a_weight_does_not_move_the_share():
    assert share_done(WEIGHTS, "plots", 1, 2) == 0


steps = st.sampled_from([*WEIGHTS, "plots"])
calls = st.lists(st.tuples(steps, st.integers(-5, 20), st.integers(0, 10)))


@given(calls)
def test_progress_stays_within_its_bounds_and_never_goes_back(made: list[tuple[str, int, int]]):
    reports = Reports()
    progress = JobProgress(WEIGHTS, reports, reports.clock)
    for step, done, of in made:
        reports.now += 1
        progress(step, done, of)
    shares = [share for share, _ in reports.seen]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)


def test_at_most_five_reports_a_second_and_one_for_each_step_that_begins():
    reports = Reports()
    progress = JobProgress(WEIGHTS, reports, reports.clock)
    for done in range(1000):
        reports.now = done / 1000
        progress("embed", done, 1000)
    assert len(reports.seen) == 5
    progress("train", 0, 1)
    assert reports.seen[-1] == (0.5, "train")


def test_a_stop_reaches_the_work_with_its_reason():
    reports = Reports(answer="the worker was shut down")
    progress = JobProgress(WEIGHTS, reports, reports.clock)
    with pytest.raises(Stopped):
        progress("list", 0, 1)
    assert progress.stop_reason == "the worker was shut down"


def test_work_that_redis_lost_does_not_go_on():
    reports = Reports(answer=None)
    progress = JobProgress(WEIGHTS, reports, reports.clock)
    with pytest.raises(QueueUnreachable, match="lost this job"):
        progress("list", 0, 1)


def test_work_goes_on_while_redis_is_away(caplog: pytest.LogCaptureFixture):
    def nobody(_share: float, _step: str) -> str:
        raise QueueUnreachable("Redis does not answer")

    JobProgress(WEIGHTS, nobody)("list", 0, 1)
    assert "goes on without reporting" in caplog.text
