"""Whether an import of predictions is quicker in halves that are sent at the same time.

Run: python -m tests.bench.bench_push [TASKS] [--database sqlite|postgresql]

Imports a prediction of each task into a real Label Studio, as one request and as two at once, in
turns, by plain HTTP. Seconds are of the clock and of Label Studio's process.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from connectors.label_studio.client import LabelStudioClient
from tests.bench.installed_label_studio import installed
from tests.bench.processes import cpu_seconds, running
from tests.bench.sized_project import new_project
from tests.e2e.digits import answer

REPOSITORY = Path(__file__).parents[2]
TURNS = 3


def imported(http: httpx.Client, project: int, rows: Sequence[dict[str, Any]], parts: int) -> None:
    shares = [rows[part::parts] for part in range(parts)]
    with ThreadPoolExecutor(parts) as senders:
        answers = list(
            senders.map(
                lambda share: http.post(f"/api/projects/{project}/import/predictions", json=share),
                shares,
            )
        )
    for one in answers:
        assert one.is_success, f"{one.status_code} {one.text[:300]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="?", type=int, default=3000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        installed(Path(folder), chosen.database) as studio,
        LabelStudioClient(studio.url, studio.token, patience=60) as client,
        httpx.Client(
            base_url=studio.url,
            headers={"Authorization": f"Token {studio.token}"},
            timeout=600,
        ) as http,
    ):
        made = new_project(client, studio.files_root, chosen.tasks, 0, 50)
        measure(http, made.id, list(made.truth))


def measure(http: httpx.Client, project: int, tasks: Sequence[int]) -> None:
    process = running("label-studio start")
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for turn in range(TURNS):
        for parts, times in found.items():
            rows = [
                {"task": task, "model_version": f"{turn}-{parts}", "result": answer("1")}
                for task in tasks
            ]
            began, before = time.perf_counter(), cpu_seconds(process)
            imported(http, project, rows, parts)
            times.append((time.perf_counter() - began, cpu_seconds(process) - before))
            print(f"turn {turn}, {parts} at once: %.1f s, %.1f s of Label Studio" % times[-1])
    for parts, times in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{len(tasks)} predictions, {parts} at once: {wall:.1f} s ({cpu:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
