"""Whether the web process stays quick and small for 50 clients while a worker trains.

    python -m tests.bench.bench_load [SECONDS]        600 seconds unless said otherwise

Each client sends a request of a mix, waits up to a second, and sends the next. Some follow the
events of jobs. One training after the other runs meanwhile. Any answer that is no success, and any
broken connection, is a failed request.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.bench_memory import settings
from tests.bench.processes import megabytes, running
from tests.e2e.autolabel import Autolabel
from tests.fakes.domain import CHOICES
from tests.fakes.http_server import FakeHttpServer
from tests.fakes.large_label_studio import IMAGES, LABELED, large_label_studio

CLIENTS = 50
FOLLOWERS = 4
"""Clients that follow the events of jobs, as open pages do."""

TASKS = 2000
PREDICTED = 20
PAUSE = 1.0
"""Longest pause of a client between two requests, in seconds; half of it on average."""

WARM_UP = 5.0
TARGET = "target: no failed request; p99 below 100 ms for /health and /webhook on two cores"


@dataclass(frozen=True)
class Call:
    """A request of the mix; `weight` is how often it is sent compared with the others."""

    route: str
    weight: int
    method: str
    path: str
    body: object = None


@dataclass(frozen=True)
class Sent:
    """One request that was answered or not; an empty `failure` is a success."""

    route: str
    seconds: float
    failure: str = ""


def mix(job: str) -> Sequence[Call]:
    """What Label Studio, scripts and browsers ask for; `job` is one that ended."""
    numbers = range(LABELED + 1, LABELED + 1 + PREDICTED)
    tasks = [{"id": n, "data": {"image": f"/data/upload/{n % IMAGES}.png"}} for n in numbers]
    note = {"id": 1, "was_cancelled": False, "task": 1, "project": 1, "result": []}
    project = {"id": 1, "label_config": CHOICES}
    event = {"action": "ANNOTATION_CREATED", "project": project, "annotation": note}
    asked = {"project": "1.1", "label_config": CHOICES, "tasks": tasks}
    return (
        Call("/health", 25, "GET", "/health"),
        Call("/webhook", 25, "POST", "/webhook", event),
        Call("/setup", 10, "POST", "/setup", {"project": "1.1", "schema": CHOICES}),
        Call("/predict", 10, "POST", "/predict", asked),
        Call("/api/jobs/<job>", 10, "GET", f"/api/jobs/{job}"),
        Call("/api/projects/<id>/jobs", 5, "GET", "/api/projects/1/jobs"),
        Call("/api/projects/<id>/versions", 3, "GET", "/api/projects/1/versions"),
        Call("/api/projects/<id>/status", 1, "GET", "/api/projects/1/status"),
        Call("/", 3, "GET", "/"),
        Call("/projects/<id>", 2, "GET", "/projects/1"),
        Call("/jobs/<job>", 3, "GET", f"/jobs/{job}"),
        Call("/metrics", 1, "GET", "/metrics"),
    )


def client(url: str, calls: Sequence[Call], until: float, seed: int) -> list[Sent]:
    """Send requests over one kept-alive connection until the time is over."""
    chance, sent = random.Random(seed), list[Sent]()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    time.sleep(chance.uniform(0, PAUSE))
    while time.monotonic() < until:
        (call,) = chance.choices(calls, [one.weight for one in calls])
        sent.append(send(connection, call))
        time.sleep(chance.uniform(0, PAUSE))
    connection.close()
    return sent


def send(connection: http.client.HTTPConnection, call: Call) -> Sent:
    body = None if call.body is None else json.dumps(call.body)
    start = time.perf_counter()
    try:
        connection.request(call.method, call.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as exc:
        connection.close()
        return Sent(call.route, time.perf_counter() - start, type(exc).__name__)
    failure = "" if answer.status < 300 else f"{answer.status} {answer.reason}"
    return Sent(call.route, time.perf_counter() - start, failure)


def follower(url: str, until: float) -> list[Sent]:
    """Open a stream of events for some seconds, again and again; measures the first event."""
    parts, sent = urlsplit(url), list[Sent]()
    while time.monotonic() < until:
        start, failure = time.perf_counter(), ""
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            connection.request("GET", "/events?project=1")
            answer = connection.getresponse()
            failure = "" if answer.status == 200 else f"{answer.status} {answer.reason}"
            answer.readline()
            sent.append(Sent("/events", time.perf_counter() - start, failure))
            closes = min(until, time.monotonic() + 20)
            while not failure and time.monotonic() < closes:
                answer.readline()
        except (OSError, http.client.HTTPException) as exc:
            sent.append(Sent("/events", time.perf_counter() - start, type(exc).__name__))
        connection.close()
    return sent


def generate(url: str, job: str, seconds: float, result: Any) -> None:
    """All clients, in a process of their own: the one that runs Label Studio is busy."""
    until, calls = time.monotonic() + seconds, mix(job)
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(follower, url, until) for _ in range(FOLLOWERS)]
        asked += [
            pool.submit(client, url, calls, until, seed) for seed in range(CLIENTS - FOLLOWERS)
        ]
        result.put([one for clients in asked for one in clients.result()])


def under_load(url: str, job: str, seconds: float) -> list[Sent]:
    spawn = multiprocessing.get_context("spawn")
    result: Any = spawn.Queue()
    process = spawn.Process(target=generate, args=(url, job, seconds, result))
    process.start()
    sent = result.get()
    process.join()
    return sent


def keep_training(ours: Autolabel, ended: threading.Event, states: Counter[str]) -> None:
    """Start the next training when one is over; counts how they ended."""
    while not ended.is_set():
        job = ours.json("label", 1, "--algorithm", "precise", "--no-wait")
        while not ended.wait(1):
            found = ours.call("GET", f"/api/jobs/{job['id']}").json()
            if found["state"] in {"finished", "failed", "stopped"}:
                states[found["state"]] += 1
                break


def report(sent: Sequence[Sent], memory: Mapping[str, tuple[float, float]]) -> int:
    """Print the table; returns the number of failed requests."""
    by_route = defaultdict[str, list[float]](list)
    for one in sent:
        by_route[one.route].append(one.seconds * 1000)
    print(f"{'route':30} {'requests':>8} {'p50 ms':>8} {'p99 ms':>8} {'worst':>8}")
    for route, times in by_route.items():
        cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times
        middle, late = cuts[len(cuts) // 2], cuts[-1]
        print(f"{route:30} {len(times):8} {middle:8.1f} {late:8.1f} {max(times):8.1f}")
    failures = Counter((one.route, one.failure) for one in sent if one.failure)
    for (route, failure), count in failures.items():
        print(f"failed: {count} of {route}: {failure}")
    for name, (before, after) in memory.items():
        print(f"memory of the {name} process: {before:.0f} MB, at the end {after:.0f} MB")
    print(f"{len(sent)} requests, {sum(failures.values())} failed\n{TARGET}")
    return sum(failures.values())


def measure(ours: Autolabel, seconds: float) -> int:
    first = ours.json("label", 1)
    url, parts = ours.settings.public_url, {"web": "backend.cli serve", "worker": "cli worker"}
    pids = {name: running(words) for name, words in parts.items()}
    ended, states = threading.Event(), Counter[str]()
    trainer = threading.Thread(target=keep_training, args=(ours, ended, states))
    trainer.start()
    under_load(url, first["id"], WARM_UP)
    before = {name: megabytes(pid, "VmRSS") for name, pid in pids.items()}
    sent = under_load(url, first["id"], seconds)
    memory = {name: (before[name], megabytes(pid, "VmRSS")) for name, pid in pids.items()}
    ended.set()
    trainer.join()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{CLIENTS} clients, {seconds:.0f} s, {os.cpu_count()} cores, load average {load}")
    print(f"trainings meanwhile: {dict(states) or 'one, not over yet'}")
    return report(sent, memory)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=float, default=600)
    wanted = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeHttpServer(large_label_studio(TASKS)) as studio,
        Autolabel(settings(studio.url, Path(folder)), patience=900).running() as ours,
    ):
        return min(1, measure(ours, wanted.seconds))


if __name__ == "__main__":
    raise SystemExit(main())
