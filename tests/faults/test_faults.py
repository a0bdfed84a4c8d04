"""Whatever breaks at whatever step: nothing is lost, nothing doubled, and the next job succeeds."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.faults.conftest import OUTCOME, wants_all
from tests.faults.faults import FAULTS, Fault
from tests.faults.scenarios import finished
from tests.faults.site import Digits, Site
from tests.faults.steps import STEPS, Step

SAMPLE = 20

RecordProperty = Callable[[str, object], None]


def applies(step: Step, fault: Fault) -> bool:
    return step.scenario.is_job or not fault.needs_job


EVERY = [(step, fault) for step in STEPS for fault in FAULTS if applies(step, fault)]


def sample() -> list[tuple[Step, Fault]]:
    """Different faults, each at the step that waits longest for its turn."""
    waiting, pairs = list(STEPS), list[tuple[Step, Fault]]()
    for fault in FAULTS[:SAMPLE]:
        step = next(one for one in waiting if applies(one, fault))
        waiting.remove(step)
        waiting.append(step)
        pairs.append((step, fault))
    return pairs


def chosen() -> list[object]:
    pairs = EVERY if wants_all() else sample()
    return [pytest.param(step, fault, id=f"{step.name}: {fault.name}") for step, fault in pairs]


def test_at_least_two_hundred_faults_are_known_and_twenty_are_tried_each_time() -> None:
    assert len(EVERY) >= 200
    assert len(sample()) == SAMPLE
    assert {step.name for step, _ in sample()} == {step.name for step in STEPS}


@pytest.mark.parametrize(("step", "fault"), chosen())
def test_nothing_is_lost_or_doubled(
    logged_site: Site, record_property: RecordProperty, step: Step, fault: Fault
) -> None:
    site = logged_site
    # given a project with what the scenario needs
    digits = step.scenario.project(site)
    breaks = fault.strike(site, digits)
    # when the fault strikes at this step
    ending = step.scenario.run(
        site, digits, lambda: site.proxy.arm(step.matches, breaks, fault.times)
    )
    struck = site.proxy.struck
    site.mend()
    # then a job got over what is only a passing fault
    assert struck, f"the work never came to: {step.name} ({ending.said})"
    assert not site.proxy.errors, site.proxy.errors
    if step.scenario.is_job and not fault.fails:
        assert ending.completed, ending.said
    require_nobody_touched_peoples_work(site, digits)
    # and whoever repeats it, and the next job, find everything in order
    step.scenario.repeat(site, digits)
    healed = finished(site, digits)
    require_order(site, digits, healed["version"])
    record_property(OUTCOME, (step.name, fault.name, ending.said))


def require_order(site: Site, digits: Digits, made: str) -> None:
    """One prediction a task and version, people's labels untouched, no half version."""
    project = site.call("GET", f"/api/projects/{digits.id}/")
    tasks = {task["id"]: task for task in site.tasks(digits.id)}
    shown = project["model_version"]

    assert set(tasks) == set(digits.truth) - digits.deleted
    for task, row in tasks.items():
        versions = Counter(one["model_version"] for one in row["predictions"])
        assert all(count == 1 for count in versions.values()), f"doubled on task {task}"
        if task in digits.unlabeled:
            assert versions[shown] == 1, f"no prediction of {shown} on task {task}"
    require_nobody_touched_peoples_work(site, digits)

    answer = site.ours.call("GET", f"/api/projects/{digits.id}/versions").json()["versions"]
    assert made in {version["name"] for version in answer}
    assert [version["name"] for version in answer if version["current"]] == [shown]
    left = [path.name for path in site.versions_folder(digits).iterdir()]
    assert not [name for name in left if name.startswith(".draft")]


def require_nobody_touched_peoples_work(site: Site, digits: Digits) -> None:
    """People's labels are as they made them; others are in the ledger, one a task."""
    people, machine = dict[int, list[str]](), Counter[int]()
    for row in site.tasks(digits.id):
        for one in row["annotations"]:
            if one["parent_prediction"]:
                machine[row["id"]] += 1
            else:
                people.setdefault(row["id"], []).append(_choice(one))
    assert people == {task: [label] for task, label in digits.annotations.items()}
    assert set(machine.values()) <= {1}, f"accepted twice: {machine}"
    assert set(machine) <= site.ledger(digits).accepted


def _choice(annotation: Mapping[str, Any]) -> str:
    (choice,) = annotation["result"][0]["value"]["choices"]
    return choice
