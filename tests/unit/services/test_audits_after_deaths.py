"""Wherever a process dies between two writes, the audit goes on as if it had not."""

from copy import deepcopy
from dataclasses import replace

import pytest

from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Mode
from backend.domain.tab_titles import TabTitle
from backend.policies.certification.audit_certificate import problems
from tests.fakes.deaths import Death, Died
from tests.fakes.steps import FakeSteps
from tests.fakes.world import World

PROJECT = ProjectId(1)
IMAGES = 150

WRITES = {
    "ledgers": ("change", "save"),
    "audits": ("save", "certify"),
    "label_studio": ("push", "show_version", "forget_predictions", "list_in_tab", "accept"),
}

MORE_THAN_THERE_ARE = 40

WHEN = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


def dying(world, death):
    """The use cases in a process that dies."""
    parts = {name: death.around(getattr(world, name), WRITES[name]) for name in WRITES}
    return world.use_cases(**parts)


def draw(world, cases):
    job = world.job(accept=True, max_error=0.1)
    cases.jobs()[Mode.ACTIVE_LEARNING](job, FakeSteps())


def accept(world, cases, number):
    job = replace(world.job(mode=Mode.AUDITING), id=JobId(f"job-{number}"))
    cases.auditing(job, FakeSteps())


def died(work, world, death, *arguments):
    try:
        work(world, dying(world, death), *arguments)
    except Died:
        return True
    return False


def sample_of(world):
    return world.ledgers.load(PROJECT).withheld


def assert_accepted_once(world):
    ledger = world.ledgers.load(PROJECT)
    ((job, acceptance),) = ledger.acceptances.items()
    file = world.audits.certificate(PROJECT, job)
    assert problems(file) == ()
    assert acceptance.complete
    assert acceptance.audit == file.audit.id
    assert set(acceptance.tasks) == {one.task for one in file.accepted} != set()
    assert ledger.risk.spent == pytest.approx(file.audit.risk)
    assert ledger.open_audit is None
    assert not world.label_studio.lists[TabTitle.AUDIT]


@WHEN
def test_a_draw_that_died_is_repeated_or_shown_again(tmp_path, after):
    for at in range(1, MORE_THAN_THERE_ARE):
        world = World(tmp_path / str(at), images=IMAGES)
        if not died(draw, world, Death(at, after)):
            break
        drawn = sample_of(world)
        draw(world, world.use_cases())
        sample = sample_of(world)
        assert sample
        assert sample
        assert drawn in (frozenset(), sample), "an open audit is not drawn anew"
        assert set(world.label_studio.lists[TabTitle.AUDIT]) == sample
        assert sample.isdisjoint(task for task, _ in world.label_studio.predictions)
    assert 5 < at < MORE_THAN_THERE_ARE - 1


@WHEN
def test_an_acceptance_that_died_is_finished_under_the_same_certificate(tmp_path, after):
    world = World(tmp_path, images=IMAGES)
    draw(world, world.use_cases())
    world.label(sample_of(world))
    labeled = deepcopy((world.label_studio, world.ledgers, world.audits))
    for at in range(1, MORE_THAN_THERE_ARE):
        world.label_studio, world.ledgers, world.audits = deepcopy(labeled)
        if not died(accept, world, Death(at, after), 2):
            break
        accept(world, world.use_cases(), 3)
        assert_accepted_once(world)
    assert_accepted_once(world)
    assert 6 < at < MORE_THAN_THERE_ARE - 1
