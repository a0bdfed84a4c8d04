"""What is injected: broken answers, killed and frozen processes, and people who change things."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.proxy import RESET, Answer, Break, Forward
from tests.faults.site import Site

SILENCE = 30.0
FROZEN = 20.0


@dataclass(frozen=True)
class Fault:
    """A fault with its name; `strike` breaks a request of `step`, having the whole site at hand.

    `times` is how many requests in a row are broken. `fails` says that the job may end as failed;
    where it is False the job must get over the fault by itself.
    """

    name: str
    strike: Callable[[Site, Any], Break]
    times: int = 1
    fails: bool = False


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


def _freeze(site: Site, _project: Any) -> None:
    processes = site.worker_processes()
    for process in processes:
        process.suspend()

    def thaw() -> None:
        site.closed.wait(FROZEN)
        for process in processes:
            if process.is_running():
                process.resume()

    threading.Thread(target=thaw, daemon=True).start()


FAULTS = (
    Fault("connection reset", _answers(RESET)),
    Fault("reset after the work", _done_but(RESET)),
    Fault("500", _answers(Answer(500, b"{}")), fails=True),
    Fault("502", _answers(Answer(502))),
    Fault("502 four times", _answers(Answer(502)), times=4),
    Fault("503 + Retry-After", _answers(Answer(503, headers={"Retry-After": "1"}))),
    Fault("504 after the work", _done_but(Answer(504))),
    Fault("30 s of silence", _silent),
    Fault("413", _answers(Answer(413)), fails=True),
    Fault("429 + Retry-After", _answers(Answer(429, headers={"Retry-After": "1"}))),
    Fault("horse killed", _after(lambda site, _: site.kill_horse()), fails=True),
    Fault("worker killed", _after(lambda site, _: site.kill_worker()), fails=True),
    Fault("web killed", _after(lambda site, _: site.kill_web())),
    Fault("Redis killed", _after(lambda site, _: site.kill_redis()), fails=True),
    Fault("frozen for 20 s", _after(_freeze), fails=True),
    Fault("task deleted", _after(lambda site, project: site.delete_a_task(project))),
    Fault("config changed", _after(lambda site, project: site.add_a_label(project)), fails=True),
    Fault("token revoked", _after(lambda site, _: site.revoke_token()), fails=True),
    Fault("stopped", _after(lambda site, project: site.stop(project)), fails=True),
    Fault("person labels", _after(lambda site, project: site.label_a_task(project))),
)
