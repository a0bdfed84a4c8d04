import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import NoWeights, QueueUnreachable, ShutDown, Stopped
from backend.domain.job_events import JobFailed, JobProgressed, JobStopped
from backend.domain.steps import Step
from backend.jobs.lease import SHUT_DOWN
from backend.jobs.steps import JobSteps, share_done

SHARES = {Step.LIST: 1.0, Step.EMBED: 3.0, Step.TRAIN: 4.0}


class Reports:
    """Remembers what was reported, at times that the test sets."""

    def __init__(self, answer: str | None = "") -> None:
        self.now = 0.0
        self.answer = answer
        self.seen: list[JobProgressed] = []

    def __call__(self, progressed: JobProgressed) -> str | None:
        self.seen.append(progressed)
        return self.answer

    def clock(self) -> float:
        return self.now


def test_the_share_counts_finished_steps_and_a_part_of_the_running_one():
    assert share_done(SHARES, Step.LIST, 0, 10) == 0
    assert share_done(SHARES, Step.EMBED, 1, 3) == pytest.approx(2 / 8)
    assert share_done(SHARES, Step.TRAIN, 5, 5) == 1


def test_a_step_with_nothing_to_do_is_done():
    assert share_done(SHARES, Step.LIST, 0, 0) == pytest.approx(1 / 8)


def test_a_step_without_a_weight_does_not_move_the_share():
    assert share_done(SHARES, Step.WAIT, 1, 2) == 0


steps = st.sampled_from([*SHARES, Step.WAIT])
calls = st.lists(st.tuples(steps, st.integers(-5, 20), st.integers(0, 10)))


@given(calls)
def test_progress_stays_within_its_bounds_and_never_goes_back(made: list[tuple[Step, int, int]]):
    reports = Reports()
    progress = JobSteps(reports, SHARES, reports.clock).progress
    for step, done, of in made:
        reports.now += 1
        progress(step, done, of)
    shares = [progressed.share for progressed in reports.seen]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)


def test_at_most_five_reports_a_second_and_one_for_each_step_that_begins():
    reports = Reports()
    progress = JobSteps(reports, SHARES, reports.clock).progress
    for done in range(1000):
        reports.now = done / 1000
        progress(Step.EMBED, done, 1000)
    assert len(reports.seen) == 5
    progress(Step.TRAIN, 0, 1)
    assert reports.seen[-1] == JobProgressed(0.5, Step.TRAIN)


@pytest.mark.parametrize(
    ("reason", "error"), [("stopped on request", Stopped), (SHUT_DOWN, ShutDown)]
)
def test_a_stop_reaches_the_work_with_its_reason(reason: str, error: type[Stopped]):
    reports = Reports(answer=reason)
    steps = JobSteps(reports, SHARES, reports.clock)
    with pytest.raises(Stopped) as stop:
        steps.progress(Step.LIST, 0, 1)
    assert type(stop.value) is error
    assert steps.ended_by(stop.value) == JobStopped(reason)


def test_an_expected_error_explains_itself():
    error = NoWeights("yolo11n.pt is not here", "Put it into weights/")
    assert JobSteps(Reports()).ended_by(error) == JobFailed(
        "yolo11n.pt is not here. Put it into weights/"
    )


def test_any_other_error_is_reported_by_its_number_and_the_step():
    steps = JobSteps(Reports())
    assert steps.crashed("1a2b").reason == "internal error 1a2b, see the worker's log"
    steps.progress(Step.TRAIN, 0, 1)
    assert steps.crashed("1a2b").reason == (
        "internal error 1a2b while training, see the worker's log"
    )


def test_a_step_is_reported_when_it_begins_and_its_seconds_add_up():
    reports = Reports()
    steps = JobSteps(reports, SHARES, reports.clock)
    for seconds in (2, 3):
        with steps(Step.TRAIN) as progress:
            reports.now += seconds
            progress(Step.TRAIN, 1, 2, "epoch 1 of 2")
    assert steps.seconds == {Step.TRAIN: 5}
    assert reports.seen[0] == JobProgressed(0.5, Step.TRAIN)
    assert reports.seen[1] == JobProgressed(0.75, Step.TRAIN, "epoch 1 of 2")


def test_the_seconds_of_a_step_that_fails_count_too():
    reports = Reports()
    steps = JobSteps(reports, SHARES, reports.clock)
    with pytest.raises(Stopped), steps(Step.TRAIN):
        reports.now += 4
        raise Stopped
    assert steps.seconds == {Step.TRAIN: 4}


def test_work_that_redis_lost_does_not_go_on():
    reports = Reports(answer=None)
    progress = JobSteps(reports, SHARES, reports.clock).progress
    with pytest.raises(QueueUnreachable, match="lost this job"):
        progress(Step.LIST, 0, 1)


def test_work_goes_on_while_redis_is_away(caplog: pytest.LogCaptureFixture):
    def nobody(_progressed: JobProgressed) -> str:
        raise QueueUnreachable("Redis does not answer")

    JobSteps(nobody, SHARES).progress(Step.LIST, 0, 1)
    assert "goes on without reporting" in caplog.text
