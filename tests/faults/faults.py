"""What is injected: broken answers, killed and frozen processes, and people who change things."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import missing
from tests.faults.clock import DAY
from tests.faults.proxy import RESET, Answer, Break, Forward
from tests.faults.site import Site

SILENCE = 30.0
FROZEN = 20.0


@dataclass(frozen=True)
class Fault:
    """A fault with its name; `strike` breaks a request of `step`, having the whole site at hand.

    `times` is how many requests in a row are broken. `fails` says that the job may end as failed;
    where it is False the job must get over the fault by itself. `needs_job` is a fault of a job,
    which a request does not have.
    """

    name: str
    strike: Callable[[Site, Any], Break]
    times: int = 1
    fails: bool = False
    needs_job: bool = False


def _answers(answer: Answer) -> Callable[[Site, Any], Break]:
    return lambda _site, _project: lambda _forward: answer


def _done_but(answer: Answer) -> Callable[[Site, Any], Break]:
    """Do the work and lose the answer on the way back."""

    def strike(_site: Site, _project: Any) -> Break:
        def breaks(forward: Forward) -> Answer:
            forward()
            return answer

        return breaks

    return strike


def _after(act: Callable[[Site, Any], None]) -> Callable[[Site, Any], Break]:
    """Let something happen while the request is on its way, then forward it."""

    def strike(site: Site, project: Any) -> Break:
        def breaks(forward: Forward) -> Answer:
            act(site, project)
            return forward()

        return breaks

    return strike


def _silent(site: Site, _project: Any) -> Break:
    def breaks(forward: Forward) -> Answer:
        site.closed.wait(SILENCE)
        return forward()

    return breaks


def _full_disk(site: Site, project: Any) -> Break:
    if not site.disk.is_there:
        pytest.skip("this kernel does not let us mount a small disk")
    return _after(lambda site, _: site.disk.fill())(site, project)


def _clock_set(seconds: int) -> Callable[[Site, Any], Break]:
    def strike(site: Site, project: Any) -> Break:
        if not site.clock.is_there:
            missing("there is no C compiler, with which the clock is set")
        return _after(lambda site, _: site.clock.shift(seconds))(site, project)

    return strike


# those that a short run leaves out stand last
FAULTS = (
    Fault("connection reset", _answers(RESET)),
    Fault("reset after the work", _done_but(RESET)),
    Fault("502 four times", _answers(Answer(502)), times=4),
    Fault("504 after the work", _done_but(Answer(504))),
    Fault("30 s of silence", _silent),
    Fault("429 + Retry-After", _answers(Answer(429, headers={"Retry-After": "1"}))),
    Fault("horse killed", _after(lambda site, _: site.kill_horse()), fails=True, needs_job=True),
    Fault("worker killed", _after(lambda site, _: site.kill_worker()), fails=True, needs_job=True),
    Fault("web killed", _after(lambda site, _: site.kill_web())),
    Fault("Redis killed", _after(lambda site, _: site.kill_redis()), fails=True),
    Fault(
        "frozen for 20 s",
        _after(lambda site, _: site.freeze(site.worker_processes(), FROZEN)),
        fails=True,
    ),
    Fault(
        "Redis frozen for 20 s",
        _after(lambda site, _: site.freeze(site.redis_processes(), FROZEN)),
        fails=True,
    ),
    Fault("disk full", _full_disk, fails=True),
    Fault("clock a day ahead", _clock_set(DAY)),
    Fault("clock a day back", _clock_set(-DAY)),
    Fault("task deleted", _after(lambda site, project: site.delete_a_task(project))),
    Fault("config changed", _after(lambda site, project: site.add_a_label(project)), fails=True),
    Fault("token revoked", _after(lambda site, _: site.revoke_token()), fails=True),
    Fault(
        "stopped",
        _after(lambda site, project: site.stop(project)),
        fails=True,
        needs_job=True,
    ),
    Fault("person labels", _after(lambda site, project: site.label_a_task(project))),
    Fault("500", _answers(Answer(500, b"{}")), fails=True),
    Fault("502", _answers(Answer(502))),
    Fault("503 + Retry-After", _answers(Answer(503, headers={"Retry-After": "1"}))),
    Fault("413", _answers(Answer(413)), fails=True),
)
