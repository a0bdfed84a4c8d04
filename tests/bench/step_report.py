"""Times the steps of a measurement, with what they asked of Label Studio."""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.processes import cpu_seconds
from tests.bench.recording_proxy import Request

WORTH_TELLING = 3.0
"""Seconds from which on the requests of a step are listed."""


@dataclass
class StepReport:
    """Times each step as it is done, goes on after one that fails, and prints a line for each.

    Steps whose names begin with one of `skipped` are not done: they return None and take no time.
    """

    requests: list[Request]
    studio: int
    skipped: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        if name.startswith(self.skipped):
            self.seconds[name] = self.cpu[name] = math.nan
            return None
        first, before, started = len(self.requests), cpu_seconds(self.studio), time.perf_counter()
        answer, note = None, ""
        try:
            answer = work()
        except Exception as exc:  # noqa: BLE001 - the other steps are measured all the same
            note = f"FAILED: {type(exc).__name__}: {str(exc)[-600:]}"
            self.failures.append(f"{name}: {note}")
        self.seconds[name] = time.perf_counter() - started
        self.cpu[name] = cpu_seconds(self.studio) - before
        asked = self.requests[first:]
        slowest = max(asked, key=lambda one: one.seconds, default=Request("", 0.0, 200))
        self.failures += [
            f"{name}: {one.name} answered {one.status} after {one.seconds:.1f} s"
            for one in asked
            if one.status >= 500
        ]
        print(
            f"{name:30}{self.seconds[name]:8.1f} s{self.cpu[name]:8.1f} s{len(asked):8}"
            f"{slowest.seconds:8.1f} s  {slowest.name if slowest.seconds > 1 else ''} {note}",
            flush=True,
        )
        if self.seconds[name] > WORTH_TELLING and asked:
            print(f"    {most_expensive(asked)}", flush=True)
        return answer


def print_steps(job: Mapping[str, Any]) -> None:
    """Print the seconds of each step of a job, and its reason."""
    spent = ", ".join(f"{name} {took:.1f}" for name, took in job["report"]["seconds"].items())
    print(f"    {spent}; {job['reason']}")


def most_expensive(asked: Sequence[Request]) -> str:
    """The kinds of requests that took longest together."""
    total, count = Counter[str](), Counter[str]()
    for one in asked:
        kind = re.sub(r"\d+", "N", one.name)
        total[kind] += one.seconds
        count[kind] += 1
    return ", ".join(f"{count[kind]} {kind} {spent:.1f} s" for kind, spent in total.most_common(3))
