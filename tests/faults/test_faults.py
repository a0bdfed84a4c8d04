"""Whatever breaks at whatever step: nothing is lost, nothing doubled, and the next job succeeds."""

from collections import Counter

import pytest

from tests.faults.conftest import wants_all
from tests.faults.faults import FAULTS, Fault
from tests.faults.site import Digits, Site
from tests.faults.steps import STEPS, Step

SAMPLE = 20
EVERY = [(step, fault) for step in STEPS for fault in FAULTS]


def chosen() -> list[object]:
    """All pairs, or a sample that strides over both steps and faults."""
    pairs = EVERY if wants_all() else EVERY[:: len(EVERY) // SAMPLE][:SAMPLE]
    return [pytest.param(step, fault, id=f"{step.name}: {fault.name}") for step, fault in pairs]


@pytest.mark.parametrize(("step", "fault"), chosen())
def test_nothing_is_lost_or_doubled(
    site: Site, outcomes: list[tuple[str, str, str]], step: Step, fault: Fault
) -> None:
    # given a project, with a round behind it where the step needs one
    digits = site.new_project()
    if step.second:
        assert site.job_ended(site.start_job(digits))["state"] == "finished"
    # when the fault strikes a job at this step
    started = site.start_job(digits)
    armed = site.proxy.arm(step.matches, fault.strike(site, digits), fault.times)
    job = site.job_ended(started)
    site.mend()
    # then the job ends in a state with a reason, and got over what is only a passing fault
    assert armed.struck, f"the job never came to: {step.name}"
    assert not site.proxy.errors, site.proxy.errors
    assert job["reason"]
    if not fault.fails:
        assert job["state"] == "finished", job["reason"]
    # and the next job finds everything in order
    healed = site.job_ended(site.start_job(digits))
    assert healed["state"] == "finished", healed["reason"]
    require_order(site, digits, healed["version"])
    outcomes.append((step.name, fault.name, f"{job['state']}: {job['reason']}"))


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

    labels = {
        task: [one["result"][0]["value"]["choices"] for one in row["annotations"]]
        for task, row in tasks.items()
        if row["annotations"]
    }
    assert labels == {task: [[label]] for task, label in digits.annotations.items()}

    answer = site.ours.call("GET", f"/api/projects/{digits.id}/versions").json()["versions"]
    assert made in {version["name"] for version in answer}
    assert [version["name"] for version in answer if version["current"]] == [shown]
    folder = site.ours.settings.data_dir / "projects" / str(digits.id) / "versions"
    assert not [left.name for left in folder.iterdir() if left.name.startswith(".draft")]
