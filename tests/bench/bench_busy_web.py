"""How quickly the real web process answers while a worker on the same machine trains.

    python -m tests.bench.bench_busy_web

Percentiles at 20 concurrent clients; and what a request costs the web process in processor time,
which other programs on the machine do not change.
"""

import tempfile
from pathlib import Path

from tests.bench.bench_memory import settings
from tests.bench.bench_web import CLIENTS, measure
from tests.bench.processes import cpu_seconds, running
from tests.e2e.autolabel import Autolabel
from tests.fakes.domain import CHOICES
from tests.fakes.http_server import FakeHttpServer
from tests.fakes.large_label_studio import IMAGES, LABELED, large_label_studio

TASKS = 2000
REQUESTS = 50
PREDICTIONS = 5
TARGET = "target: p99 under 50 ms, /predict of 1,000 stored predictions under 1 s, on idle cores"


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeHttpServer(large_label_studio(TASKS)) as studio,
        Autolabel(settings(studio.url, Path(folder)), patience=900).running(fresh=True) as ours,
    ):
        ours.json("label", 1)
        job = ours.json("label", 1, "--algorithm", "precise", "--no-wait")
        ask(ours)
        state = ours.call("GET", f"/api/jobs/{job['id']}").json()
        print(f"meanwhile the job got to {state['step'] or state['state']}\n{TARGET}")


def ask(ours: Autolabel) -> None:
    url, web = ours.settings.public_url, running("backend.cli serve")
    numbers = range(LABELED + 1, LABELED + 1001)
    tasks = [{"id": n, "data": {"image": f"/data/upload/{n % IMAGES}.png"}} for n in numbers]
    note = {"id": 1, "was_cancelled": False, "task": 1, "project": 1, "result": []}
    project = {"id": 1, "label_config": CHOICES}
    event = {"action": "ANNOTATION_CREATED", "project": project, "annotation": note}
    calls = (
        ("GET", "/health", None, CLIENTS, REQUESTS),
        ("POST", "/setup", {"project": "1.1", "schema": CHOICES}, CLIENTS, REQUESTS),
        ("POST", "/webhook", event, CLIENTS, REQUESTS),
        (
            "POST",
            "/predict",
            {"project": "1.1", "label_config": CHOICES, "tasks": tasks},
            1,
            PREDICTIONS,
        ),
    )
    for method, path, body, clients, requests in calls:
        before = cpu_seconds(web)
        measure(url, method, path, body, clients, requests)
        cost = (cpu_seconds(web) - before) / (clients * requests)
        print(f"{'':15}{cost * 1000:.1f} ms of processor time a request", flush=True)


if __name__ == "__main__":
    main()
