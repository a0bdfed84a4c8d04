"""A round whose process is killed, and the one that goes on with it by itself."""

import os
import signal
from typing import Any

from backend.domain.steps import Step
from tests.bench.processes import children, command_of, running
from tests.bench.step_report import print_steps
from tests.e2e.autolabel import Autolabel
from tests.e2e.rounds import newest_job
from tests.integration.polling import eventually

JOB = "backend.cli worker"


def gone_on(ours: Autolabel, project: int, patience: float) -> dict[str, Any]:
    """Kill a round that writes to Label Studio; return the job that finished it.

    Raises:
        AssertionError: it began anew, or did not finish
    """
    started = ours.json("label", project, "--no-wait")
    writing = Step.PUSH.value

    def is_writing() -> bool:
        job = ours.call("GET", f"/api/jobs/{started['id']}").json()
        assert job["state"] in {"queued", "running"}, job
        return job["step"] == writing

    eventually(is_writing, patience)
    for process in children(running(JOB)):
        if JOB in command_of(process):
            os.kill(process, signal.SIGKILL)
    eventually(lambda: newest_job(ours, project) != started["id"], patience)
    job = ours.job_ended(newest_job(ours, project))
    assert job["state"] == "finished", job
    print_steps(job)
    assert f"of {started['id']}, which broke off" in job["reason"], job
    return job
