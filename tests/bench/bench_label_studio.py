"""What the connectors cost beside the bare calls they are made of, on a real Label Studio.

Run: python -m tests.bench.bench_label_studio [TASKS]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from connectors.label_studio.client import LabelStudioClient
from tests.bench.installed_label_studio import installed
from tests.e2e.conftest import CHOICES
from tests.e2e.label_studio_api import import_tasks

ROUNDS = 3
CAT = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]


class Bare:
    """The same work in plain httpx calls, page by page number."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Token {token}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=300)

    def list(self, project: int, query: str, fields: str, include: str) -> int:
        params = {"project": project, "query": query, "fields": fields, "include": include}
        params |= {"page_size": 1000, "resolve_uri": "false"}
        count, page = 0, 1
        while True:
            answer = self.http.get("/api/tasks/", params={**params, "page": page}).json()
            count += len(answer["tasks"])
            if count >= answer["total"]:
                return count
            page += 1

    def import_predictions(
        self, project: int, predictions: Sequence[Any], at_once: int = 2000
    ) -> int:
        path = f"/api/projects/{project}/import/predictions"
        return sum(
            self.http.post(path, json=predictions[start : start + at_once]).json()["created"]
            for start in range(0, len(predictions), at_once)
        )


def seconds(work: Callable[[], int], expected: int) -> float:
    started = time.perf_counter()
    assert work() == expected
    return time.perf_counter() - started


def compare(name: str, count: int, bare: Callable[[], int], ours: Callable[[], int]) -> None:
    """Interleaved rounds, so that whatever else the machine does hits both."""
    pairs = [(seconds(bare, count), seconds(ours, count)) for _ in range(ROUNDS)]
    plain, own = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name:22}{count / plain:10.0f}/s{count / own:10.0f}/s{own / plain:9.2f}", flush=True)


def predictions(tasks: Sequence[int], version: str) -> list[dict[str, Any]]:
    return [{"task": task, "model_version": version, "score": 0.5, "result": CAT} for task in tasks]


def main(count: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        installed(Path(folder)) as process,
        LabelStudioClient(process.url, process.token) as client,
    ):
        bare = Bare(process.url, process.token)
        project = client.projects.create("bench", CHOICES)["id"]
        tasks = import_tasks(client, project, [{"image": f"/{n}.jpg"} for n in range(count)])
        print(f"{count} tasks{'bare':>19}{'ours':>12}{'time':>11}")

        untouched = (
            '{"filters":{"conjunction":"and","items":['
            '{"filter":"filter:tasks:total_annotations","operator":"equal","type":"Number",'
            '"value":0}]},"ordering":["tasks:id"]}'
        )
        compare(
            "list unlabeled",
            count,
            lambda: bare.list(project, untouched, "task_only", "id,data"),
            lambda: sum(1 for _ in client.tasks.unlabeled(project)),
        )
        versions = iter(f"al-{number:04}-aaaa" for number in range(100))
        compare(
            "import predictions",
            count,
            lambda: bare.import_predictions(project, predictions(tasks, next(versions))),
            lambda: (
                client.prediction_import.store(project, predictions(tasks, next(versions))).created
            ),
        )
        first = "al-0000-aaaa"
        compare(
            "list predicted ids",
            count,
            lambda: bare.list(project, untouched, "task_only", "id"),
            lambda: len(client.tasks.predicted_ids(project, first)),
        )
        started = time.perf_counter()
        accepted = client.acceptance.accept(project, first, tasks[: count // 5])
        rate = len(accepted) / (time.perf_counter() - started)
        print(f"{'accept predictions':22}{'':12}{rate:10.0f}/s")
        labeled = untouched.replace('"equal"', '"greater"')
        include = (
            "id,data,annotations,result,was_cancelled,ground_truth,created_at,updated_at,"
            "completed_by,parent_prediction"
        )
        compare(
            "list labeled",
            count // 5,
            lambda: bare.list(project, labeled, "all", include),
            lambda: sum(1 for _ in client.tasks.labeled(project)),
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
