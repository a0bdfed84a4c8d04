"""How long a whole job takes on a real Label Studio, and how much of that is Label Studio's.

    python -m tests.bench.bench_round [small|large|first]

`small`: 500 digits of 10 classes, nothing cached, from the command to predictions in Label Studio.
`large`: 5,000 tasks with features cached: later rounds, each after some more labels, in turn with
the bare calls that list as many tasks and import as many predictions. The bare calls go to a
project of their own, and nothing is deleted in between, so that both fall into the same minute of a
machine whose speed changes.
`first`: 500 digits that nobody labeled, from `connect` to what to label first, and from the last
label of the minimum to the predictions of the training that then starts by itself.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backend.domain.version_names import VERSION_NAME
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.tasks import ANNOTATION_FIELDS
from tests.bench.bench_label_studio import Bare
from tests.bench.installed_label_studio import installed
from tests.bench.processes import command_of, cpu_seconds, family, running
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import DigitProject, annotate, answer, new_project
from tests.e2e.label_studio_api import import_tasks
from tests.integration.polling import eventually

LABELS = tuple("0123456789")
PER_CLASS = 50
ANNOTATED = dict.fromkeys(LABELS, 10)
TASKS = 5000
TARGET_SECONDS = 20
TURNS = 5
MORE = 10
TARGET_RATIO = 1.3
TARGET_FIRST = 30
FEWEST = dict.fromkeys(LABELS, 5)
FILTERS = (
    '{{"filters":{{"conjunction":"and","items":[{{"filter":"filter:tasks:total_annotations",'
    '"operator":"{}","type":"Number","value":0}}]}},"ordering":["tasks:id"]}}'
)


@contextmanager
def everything(folder: Path, **changes: Any) -> Iterator[tuple[LabelStudioClient, Bare, Autolabel]]:
    with (
        installed(folder) as studio,
        LabelStudioClient(studio.url, studio.token, patience=30) as client,
        Autolabel(settings_for(studio, folder / "data", **changes), patience=900).running(
            fresh=True
        ) as ours,
    ):
        yield client, Bare(studio.url, studio.token), ours


@dataclass(frozen=True)
class Timed:
    """`seconds` that a person waits for `autolabel label`, and processor seconds: our worker's,
    and Label Studio's."""

    seconds: float
    worker: float
    studio: float
    report: Mapping[str, Any]

    @property
    def parts(self) -> str:
        return parts_of(self.report)


@dataclass(frozen=True)
class Bared:
    """What a bare call takes, and processor seconds of Label Studio."""

    seconds: float
    studio: float


def timed(autolabel: Autolabel, project: int) -> Timed:
    processes = running("backend.cli worker"), running("label-studio start")
    before = [cpu_seconds(process) for process in processes]
    started = time.perf_counter()
    job = autolabel.json("label", project)
    seconds = time.perf_counter() - started
    worker, studio = (
        cpu_seconds(process) - earlier for process, earlier in zip(processes, before, strict=True)
    )
    return Timed(seconds, worker, studio, job["report"])


def small(folder: Path) -> None:
    with everything(folder) as (client, _, ours):
        project = few(client, folder)
        ours.run("connect", project.id)
        rounds = {"nothing cached": timed(ours, project.id), "again": timed(ours, project.id)}
    print(f"{len(project.truth)} images{'wall':>22}{'CPU: worker':>15}{'Label Studio':>15}")
    for name, one in rounds.items():
        print(f"{name:22}{one.seconds:10.1f} s{one.worker:13.1f} s{one.studio:13.1f} s")
        print(f"{'':22}{one.parts}")
    print(f"target: {TARGET_SECONDS} s on two idle cores, nothing cached")


def first(folder: Path) -> None:
    with everything(folder, auto_train=True) as (client, _, ours):
        project = new_project(client, folder / "digits", PER_CLASS, LABELS)
        parties = worker(), running("label-studio start")

        started = time.perf_counter()
        ours.run("connect", project.id)
        eventually(lambda: "Label next" in titles(client, project.id), seconds=900)
        wall = time.perf_counter() - started
        annotate(client, project, in_turn(project))
        began, started = [cpu_seconds(one) for one in parties], time.perf_counter()
        left = len(project.truth) - sum(FEWEST.values())
        eventually(lambda: predicted(client, project.id) >= left, seconds=900)
        waited = time.perf_counter() - started
        job = ours.job_ended(ours.json("jobs", project.id)["jobs"][0]["id"])
        spent = [cpu_seconds(one) - earlier for one, earlier in zip(parties, began, strict=True)]
    print(f"{len(project.truth)} images, nobody labeled any, nothing cached")
    print(f"from connect to what to label first {wall:6.1f} s")
    print(f"from the last label to predictions  {waited:6.1f} s (target {TARGET_FIRST} s)")
    print(f"  CPU: worker {spent[0]:.1f} s, Label Studio {spent[1]:.1f} s")
    print(f"  of the job: {parts_of(job['report'])}")


def in_turn(project: DigitProject) -> list[int]:
    """The tasks of the minimum, one of each label in turn, so that the last one meets it."""
    by_label = [project.some({label: count}) for label, count in FEWEST.items()]
    return [task for turn in zip(*by_label, strict=True) for task in turn]


def worker() -> int:
    """The worker itself, not the process that it forks for its work."""
    return next(pid for pid in family(os.getpid()) if "backend.cli worker" in command_of(pid))


def titles(client: LabelStudioClient, project: int) -> set[str]:
    return {tab["data"].get("title", "") for tab in client.tabs.all(project)}


def predicted(client: LabelStudioClient, project: int) -> int:
    versions = client.predictions.versions(project)
    return sum(count for name, count in versions.items() if VERSION_NAME.fullmatch(name))


def parts_of(report: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {spent:.1f}" for name, spent in report["seconds"].items())


def large(folder: Path) -> None:
    # no worker of the idle queue: it would delete the predictions of the round before meanwhile
    with everything(folder, queues="jobs,shards") as (client, bare, ours):
        project, twin = many(client, folder), many(client, folder)
        report, studio = timed(ours, project.id).report, running("label-studio start")
        unlabeled = {one.id: list(one.truth)[-report["predicted"] :] for one in (project, twin)}
        rows = predictions(unlabeled[twin.id], "bare")
        bare.import_predictions(twin.id, rows, TASKS)  # ours has some, too
        print(f"{TASKS} tasks, features cached{'wall':>6}{'Label Studio CPU':>19}")
        turns = list[Turn]()
        for number in range(1, TURNS + 1):
            for one in (project, twin):
                annotate(client, one, [unlabeled[one.id].pop() for _ in range(MORE)])
            counts = report["labeled"] + MORE * number, report["unlabeled"] - MORE * number
            rows = predictions(unlabeled[twin.id], f"bare {number}")
            listing = clock(partial(listed, bare, twin.id, counts), studio)
            storing = clock(partial(bare.import_predictions, twin.id, rows, TASKS), studio)
            turns.append(Turn(listing, storing, timed(ours, project.id)))
            turns[-1].show()
    show_ratios(turns)


@dataclass(frozen=True)
class Turn:
    """The bare calls, and the round right after them."""

    listing: Bared
    storing: Bared
    later: Timed

    @property
    def wall(self) -> tuple[float, float]:
        """Seconds that the job itself reports, and those of the bare calls."""
        inside = sum(self.later.report["seconds"].values())
        return inside, self.listing.seconds + self.storing.seconds

    @property
    def studio(self) -> tuple[float, float]:
        """The same in processor time of Label Studio."""
        return self.later.studio, self.listing.studio + self.storing.studio

    def show(self) -> None:
        for name, one in (("bare list", self.listing), ("bare import", self.storing)):
            print(f"{name:24}{one.seconds:6.1f} s{one.studio:17.1f} s")
        inside, _ = self.wall
        print(f"{'a later round':24}{inside:6.1f} s{self.later.studio:17.1f} s  {self.later.parts}")


def show_ratios(turns: Sequence[Turn]) -> None:
    """Also in processor time of Label Studio, which tells more where other programs run."""
    measures = {"wall": [one.wall for one in turns], "CPU": [one.studio for one in turns]}
    for name, pairs in measures.items():
        ratios = [ours / bare for ours, bare in pairs]
        ours, bare = (sum(column) for column in zip(*pairs, strict=True))
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        middle = statistics.median(ratios)
        print(f"{name}: round / (list + import) {each}; median {middle:.2f}, all {ours / bare:.2f}")
    print(f"target {TARGET_RATIO} by the clock")


def predictions(tasks: Sequence[int], version: str) -> list[dict[str, Any]]:
    common = {"model_version": version, "score": 0.5, "result": answer("1")}
    return [{"task": task, **common} for task in tasks]


def few(client: LabelStudioClient, folder: Path) -> DigitProject:
    project = new_project(client, folder / "digits", PER_CLASS, LABELS)
    annotate(client, project, project.some(ANNOTATED))
    return project


def many(client: LabelStudioClient, folder: Path) -> DigitProject:
    """Tasks that share the uploaded images, ten to each, so that the upload does not take hours."""
    project = few(client, folder)
    page = {"project": project.id, "page_size": 1000, "resolve_uri": "false"}
    tasks = client.http.request_json("GET", "/api/tasks/", params=page)["tasks"]
    addresses = [task["data"]["image"] for task in tasks] * (TASKS // len(tasks) - 1)
    import_tasks(client, project.id, [{"image": address} for address in addresses])
    shown = {task["data"]["image"]: project.truth[task["id"]] for task in tasks}
    truth = {row["id"]: shown[row["data"]["image"]] for row in client.tasks.unlabeled(project.id)}
    return DigitProject(project.id, dict(sorted({**project.truth, **truth}.items())))


def listed(bare: Bare, project: int, counts: tuple[int, int]) -> None:
    """List the labeled and the unlabeled tasks, of which there are so many."""
    include = ",".join(("id", "data", *ANNOTATION_FIELDS))
    labeled = bare.list(project, FILTERS.format("greater"), "all", include)
    unlabeled = bare.list(project, FILTERS.format("equal"), "task_only", "id,data")
    assert (labeled, unlabeled) == counts


def clock(work: Callable[[], object], studio: int) -> Bared:
    before, started = cpu_seconds(studio), time.perf_counter()
    work()
    return Bared(time.perf_counter() - started, cpu_seconds(studio) - before)


def main(wanted: str) -> None:
    for name, measure in (("small", small), ("large", large), ("first", first)):
        if wanted in {"", name}:
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
