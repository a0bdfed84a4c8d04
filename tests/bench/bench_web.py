"""How long the web layer takes: percentiles at 20 concurrent clients.

    python -m tests.bench.bench_web                        the app alone, with a fake backend
    python -m tests.bench.bench_web --url http://localhost:9090 --project 3 --first-task 101

Against a running backend, the tasks from `--first-task` on should have stored predictions.
"""

import argparse
import base64
import http.client
import json
import multiprocessing
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from tests.fakes.backend import FakeBackend
from tests.fakes.domain import CHOICES, a_project
from tests.fakes.label_studio import FakeProjects

CLIENTS = 20


def serve_fake(port_is: multiprocessing.Queue) -> None:
    from backend.settings import Settings
    from backend.web.app import server

    project = a_project()
    fake = FakeBackend(label_studio=FakeProjects({project.id: project}))
    listening = server(fake, Settings(data_dir=Path("/nonexistent"), port=0))
    port_is.put(listening.port)
    listening.run()


def one_client(url: str, method: str, path: str, body: object, requests: int) -> list[float]:
    """Seconds of each request over one kept-alive connection."""
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json"}
    if parts.username:
        pair = f"{parts.username}:{parts.password}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=120)
    text = None if body is None else json.dumps(body)
    seconds = []
    for _ in range(requests):
        start = time.perf_counter()
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - start)
        assert answer.status < 300, (path, answer.status, answer.reason)
    return seconds


def measure(url: str, method: str, path: str, body: object, clients: int, requests: int) -> None:
    with ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(one_client, url, method, path, body, requests) for _ in range(clients)]
        seconds = [second for job in jobs for second in job.result()]
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    print(
        f"{method} {path:9} {clients:2} clients, {len(seconds):5} requests: "
        f"p50 {cuts[49] * 1000:7.1f} ms   p99 {cuts[98] * 1000:7.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--project", type=int, default=2)
    parser.add_argument("--first-task", type=int, default=1)
    parser.add_argument("--config", help="a file with the project's labeling config")
    parser.add_argument("--requests", type=int, default=50, help="of each client")
    wanted = parser.parse_args()
    if wanted.url:
        run(wanted.url, wanted)
        return
    port_is: multiprocessing.Queue = multiprocessing.Queue()
    fake = multiprocessing.Process(target=serve_fake, args=[port_is], daemon=True)
    fake.start()
    run(f"http://127.0.0.1:{port_is.get(timeout=30)}", wanted)
    fake.terminate()


def run(url: str, wanted: argparse.Namespace) -> None:
    config = Path(wanted.config).read_text() if wanted.config else CHOICES
    project = f"{wanted.project}.1700000000"
    note = {"id": 1, "was_cancelled": False, "task": 1, "project": wanted.project, "result": []}
    event = {
        "action": "ANNOTATION_CREATED",
        "project": {"id": wanted.project, "label_config": config},
        "annotation": note,
    }
    setup = {"project": project, "schema": config, "hostname": "", "extra_params": None}
    tasks = [
        {"id": wanted.first_task + position, "data": {"image": f"/data/upload/{position}.jpg"}}
        for position in range(1000)
    ]
    predict = {"project": project, "label_config": config, "tasks": tasks, "params": {}}
    measure(url, "GET", "/health", None, CLIENTS, wanted.requests)
    measure(url, "POST", "/setup", setup, CLIENTS, wanted.requests)
    measure(url, "POST", "/webhook", event, CLIENTS, wanted.requests)
    measure(url, "POST", "/predict", predict, 1, 5)


if __name__ == "__main__":
    main()
