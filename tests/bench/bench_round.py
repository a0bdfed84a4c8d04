"""How long a whole job takes on a real Label Studio, and how much of that is Label Studio's.

    python -m tests.bench.bench_round [small|large]

`small`: 500 digits of 10 classes, nothing cached, from the command to predictions in Label Studio.
`large`: 5,000 tasks whose features are cached, beside the bare calls that list them and import as
many predictions, timed in the same run.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.label_studio import LabelStudioClient
from connectors.label_studio_tasks import ANNOTATION_FIELDS
from tests.bench.bench_label_studio import Bare
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import DigitProject, annotate, answer, new_project
from tests.e2e.label_studio import REPOSITORY, new_data_dir, running

LABELS = tuple("0123456789")
PER_CLASS = 50
ANNOTATED = dict.fromkeys(LABELS, 10)
TASKS = 5000
TARGET_SECONDS = 20
TARGET_RATIO = 1.5
FILTERS = (
    '{{"filters":{{"conjunction":"and","items":[{{"filter":"filter:tasks:total_annotations",'
    '"operator":"{}","type":"Number","value":0}}]}},"ordering":["tasks:id"]}}'
)


@contextmanager
def everything(folder: Path) -> Iterator[tuple[LabelStudioClient, Bare, Autolabel]]:
    templates = REPOSITORY / ".pytest_cache" / "d" / "label-studio"
    templates.mkdir(parents=True, exist_ok=True)
    with (
        running(new_data_dir(folder, templates)) as studio,
        LabelStudioClient(studio.url, studio.token, patience=30) as client,
        Autolabel(settings_for(studio, folder / "data"), patience=900).running() as ours,
    ):
        yield client, Bare(studio.url, studio.token), ours


def timed(autolabel: Autolabel, project: int) -> tuple[float, Mapping[str, Any]]:
    """Seconds of `autolabel label` as a person waits for them, and its report."""
    started = time.perf_counter()
    job = autolabel.json("label", project)
    return time.perf_counter() - started, job["report"]


def split(report: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in report["seconds"].items())


def small(folder: Path) -> None:
    with everything(folder) as (client, _, ours):
        project = new_project(client, folder / "digits", PER_CLASS, LABELS)
        annotate(client, project, project.some(ANNOTATED))
        ours.run("connect", project.id)
        first, report = timed(ours, project.id)
        again, second = timed(ours, project.id)
    print(f"{len(project.truth)} images, {report['predicted']} predicted")
    for name, seconds, parts in (("nothing cached", first, report), ("again", again, second)):
        studio = parts["seconds"]["list"] + parts["seconds"]["push"]
        print(f"{name:16}{seconds:6.1f} s, of which Label Studio lists and stores {studio:.1f} s")
        print(f"{'':16}{split(parts)}")
    print(f"target: {TARGET_SECONDS} s on two idle cores, nothing cached")


def large(folder: Path) -> None:
    with everything(folder) as (client, bare, ours):
        project = many(client, folder)
        warm, _ = timed(ours, project.id)
        seconds, report = timed(ours, project.id)
        listing = clock(lambda: listed(bare, project.id, report))
        rows = [
            {"task": task, "model_version": "bare", "score": 0.5, "result": answer("1")}
            for task in list(project.truth)[-report["predicted"] :]
        ]
        storing = clock(lambda: bare.import_predictions(project.id, rows))
        deleting = clock(lambda: client.delete_predictions(project.id, "bare"))
    calls = listing + storing
    inside = sum(report["seconds"].get(name, 0) for name in ("list", "train", "predict", "push"))
    inside += report["seconds"]["fetch"] + report["seconds"]["embed"]
    print(f"{TASKS} tasks; the first round, with nothing cached, took {warm:.1f} s")
    print(f"bare calls      {calls:6.1f} s: list {listing:.1f}, import {storing:.1f}")
    print(f"a job           {inside:6.1f} s: {split(report)}")
    print(f"`autolabel label` {seconds:4.1f} s, with starting a process and the queue")
    print(f"ratio           {inside / calls:6.2f}   target {TARGET_RATIO}")
    print(f"a job also deletes the last version's predictions: bare {deleting:.1f} s, counting")
    print(f"that as well the ratio is {inside / (calls + deleting):.2f}")


def many(client: LabelStudioClient, folder: Path) -> DigitProject:
    """Tasks that share the uploaded images, ten to each, so that the upload does not take hours."""
    project = new_project(client, folder / "digits", PER_CLASS, LABELS)
    annotate(client, project, project.some(ANNOTATED))
    page = {"project": project.id, "page_size": 1000, "resolve_uri": "false"}
    tasks = client.http.request_json("GET", "/api/tasks", params=page)["tasks"]
    addresses = [task["data"]["image"] for task in tasks] * (TASKS // len(tasks) - 1)
    client.import_tasks(project.id, [{"image": address} for address in addresses])
    ids = [*project.truth, *(row["id"] for row in client.unlabeled_tasks(project.id))]
    return DigitProject(project.id, dict.fromkeys(sorted(set(ids)), "?"))


def listed(bare: Bare, project: int, report: Mapping[str, Any]) -> None:
    include = ",".join(("id", "data", *ANNOTATION_FIELDS))
    labeled = bare.list(project, FILTERS.format("greater"), "all", include)
    unlabeled = bare.list(project, FILTERS.format("equal"), "task_only", "id,data")
    assert (labeled, unlabeled) == (report["labeled"], report["unlabeled"])


def clock(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(wanted: str) -> None:
    for name, measure in (("small", small), ("large", large)):
        if wanted in {"", name}:
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
