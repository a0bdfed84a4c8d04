"""Every command over a project of real size, on a real Label Studio, beside bare calls.

    python -m tests.bench.bench_size [TASKS] [--database sqlite|postgresql] [--images N]
        [--skip STEP]... [--label-studio NAME=VALUE]...

Prints for each command its seconds and the slowest request to Label Studio, then the peaks of
memory, and what failed. Ends with status 1 if anything failed.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from backend.domain.tab_titles import TabTitle
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.tasks import ANNOTATION_FIELDS
from tests.bench.bench_label_studio import Bare
from tests.bench.bench_memory import Watch
from tests.bench.bench_round import FILTERS
from tests.bench.installed_label_studio import installed
from tests.bench.killed_round import gone_on
from tests.bench.processes import megabytes, running
from tests.bench.recording_proxy import RecordingProxy
from tests.bench.sized_project import SizedProject, new_project
from tests.bench.step_report import StepReport, print_steps
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import answer
from tests.e2e.label_studio_api import delete_project
from tests.e2e.rounds import newest_job
from tests.integration.polling import eventually

EVENTS = 10_000
PATIENCE = 3 * 3600
AT_ONCE = 10_000
"""Predictions in one bare import, as many as ours has: each import costs by the whole project."""

QUIET = 10.0
"""Seconds without a request after which no idle work is left."""

ACCEPT = ("--accept", "--max-error", "0.1", "--confidence", "0.9")


@dataclass(frozen=True)
class Site:
    """Label Studio, ours beside it, and a project of the size that is measured."""

    client: LabelStudioClient
    bare: Bare
    ours: Autolabel
    project: SizedProject
    report: StepReport

    def command(self, *arguments: object) -> Any:
        return self.ours.json(*arguments)

    def done(self, *arguments: object) -> None:
        """A command that prints no JSON."""
        done = self.ours.run(*arguments)
        assert done.returncode == 0, done.stderr + done.stdout

    def job(self, *arguments: object) -> dict[str, Any]:
        """A job's command; it must end as `finished`."""
        job = self.ours.json(*arguments)
        print_steps(job)
        assert job["state"] == "finished", job
        return job

    def page(self, path: str) -> None:
        answer = self.ours.call("GET", path)
        assert answer.is_success, f"{answer.status_code} {answer.text[:300]}"


@dataclass(frozen=True)
class Size:
    """What to measure: `skipped` begins of names of steps, `environment` is Label Studio's."""

    tasks: int
    labeled: int
    images: int
    database: str
    skipped: tuple[str, ...]
    environment: Mapping[str, str]


@contextmanager
def site(folder: Path, size: Size) -> Iterator[Site]:
    with (
        installed(folder, size.database, **size.environment) as studio,
        RecordingProxy(studio.url).running() as proxy,
        LabelStudioClient(studio.url, studio.token, patience=60) as client,
    ):
        changes: dict[str, Any] = {
            "label_studio_url": proxy.url,
            "local_files_root": studio.files_root,
            "embed_ahead": False,  # it would list tasks beside the bare calls
        }
        settings = settings_for(studio, folder / "data", **changes)
        report = StepReport(proxy.requests, running("label-studio start"), size.skipped)
        root = studio.files_root
        made = report.step(
            "bare: import tasks",
            lambda: new_project(client, root, size.tasks, size.labeled, size.images),
        )
        with Autolabel(settings, patience=PATIENCE).running() as ours:
            yield Site(client, Bare(proxy.url, studio.token), ours, made, report)


def look(at: Site, when: str) -> None:
    """What people look at, and how long they wait for it."""
    project = at.project.id
    at.report.step(f"status {when}", lambda: at.command("status", project))
    at.report.step(f"status over HTTP {when}", lambda: at.page(f"/api/projects/{project}/status"))
    at.report.step(f"page {when}", lambda: at.page(f"/projects/{project}"))
    at.report.step(f"review page {when}", lambda: at.page(f"/projects/{project}/review"))


def bare_calls(at: Site) -> None:
    """The calls that a round cannot do without, made bare."""
    project, truth = at.project.id, list(at.project.truth)
    include = ",".join(("id", "data", *ANNOTATION_FIELDS))
    waiting = len(truth) - at.project.labeled
    rows = [
        {"task": task, "model_version": "bare", "score": 0.5, "result": answer("1")}
        for task in truth[-waiting:]
    ]

    def listed() -> None:
        labeled = at.bare.list(project, FILTERS.format("greater"), "all", include)
        unlabeled = at.bare.list(project, FILTERS.format("equal"), "task_only", "id,data")
        assert (labeled, unlabeled) == (at.project.labeled, waiting)

    at.report.step("bare: list", listed)
    at.report.step(
        "bare: import predictions",
        lambda: at.bare.import_predictions(project, rows, AT_ONCE),
    )
    path = f"/api/projects/{project}/model-versions/"
    version = {"model_version": "bare"}
    at.report.step(
        "bare: delete",
        lambda: at.client.http.request_json("DELETE", path, json=version, timeout=PATIENCE),
    )


def settle(at: Site) -> None:
    """Wait until idle workers ask Label Studio for nothing more."""
    seen, since = -1, time.monotonic()

    def is_quiet() -> bool:
        nonlocal seen, since
        if seen != len(at.report.requests):
            seen, since = len(at.report.requests), time.monotonic()
        return time.monotonic() - since > QUIET

    eventually(is_quiet, PATIENCE)


def rounds(at: Site) -> float:
    """All jobs that need no person; returns the seconds that the second round itself reports."""
    project, step = at.project.id, at.report.step
    first = step("label, first round", lambda: at.job("label", project)) or {"version": "none"}
    step("idle work after it", lambda: settle(at))
    bare_calls(at)
    second = step("label, second round", lambda: at.job("label", project))
    look(at, "while cleaning up")
    version = ("--mode", "pre-labeling", "--model", first["version"])
    step("label, pre-labeling", lambda: at.job("label", project, *version))
    step("label, killed in its push", lambda: gone_on(at.ours, project, PATIENCE))
    step("suggest", lambda: at.job("suggest", project, "--count", 100))
    step("group", lambda: at.job("group", project, "--groups", 50))
    return sum(second["report"]["seconds"].values()) if second else math.nan


def audited(at: Site) -> None:
    """Draw an audit, label it, wait for the job that accepts, and undo that."""
    project, step = at.project.id, at.report.step
    drawn = step("label --accept", lambda: at.job("label", project, *ACCEPT))
    if drawn and not audit_tab(at):  # where more labels first pay more, the job says so
        more = list(at.project.truth)[at.project.labeled : 2 * at.project.labeled]
        step(f"bare: label as many again ({len(more)})", lambda: label(at, more))
        drawn = step("label --accept, now", lambda: at.job("label", project, *ACCEPT))
    tab = audit_tab(at)
    if not drawn or not tab:
        return
    query = {"view": tab["id"], "page_size": 1000, "resolve_uri": "false"}
    rows = at.client.http.request_json("GET", "/api/tasks/", params=query)["tasks"]
    tasks = [row["id"] for row in rows]

    def accepted() -> dict[str, Any]:
        eventually(lambda: newest_job(at.ours, project) != drawn["id"], PATIENCE)
        job = at.ours.job_ended(newest_job(at.ours, project))
        assert job["state"] == "finished", job
        print(f"    {job['report']['accepted']} accepted: {job['reason']}")
        return job

    step(f"bare: label the audit ({len(tasks)})", lambda: label(at, tasks))
    job = step("the audit's job", accepted)
    look(at, "after acceptance")
    step("undo", lambda: at.command("undo", job["id"]))


def audit_tab(at: Site) -> dict[str, Any] | None:
    tabs = at.client.tabs.all(at.project.id)
    return next((tab for tab in tabs if tab["data"]["title"] == TabTitle.AUDIT), None)


def label(at: Site, tasks: Sequence[int]) -> None:
    for task in tasks:
        at.client.annotations.create(task, answer(at.project.truth[task]))


def others(at: Site) -> None:
    project, step = at.project.id, at.report.step
    step("labels list", lambda: at.command("labels", project, "list"))
    step("labels rename", lambda: at.command("labels", project, "rename", "1", "one", "--yes"))
    step("models", lambda: at.command("models", project))
    step("jobs", lambda: at.command("jobs", project))
    step("doctor", lambda: at.command("doctor", project))
    step("sync", lambda: synchronized(at))
    step("export-model", lambda: exported(at))
    look(at, "at the end")


def exported(at: Site) -> None:
    version = at.command("models", at.project.id)["versions"][0]["name"]
    at.done("export-model", at.project.id, version, "--to", at.project.folder.parent.parent)


def synchronized(at: Site) -> None:
    report = at.command("sync", at.project.id, at.project.folder)
    assert report["created"] == 0, report


def burst(at: Site) -> None:
    """Send what Label Studio sends while many people label."""
    note = {"id": 1, "was_cancelled": False, "task": 1, "project": at.project.id, "result": []}
    project = at.client.projects.get(at.project.id)
    event = {"action": "ANNOTATION_CREATED", "project": project, "annotation": note}
    url = f"{at.ours.settings.public_url}/webhook"
    with httpx.Client(trust_env=False, timeout=30) as http, ThreadPoolExecutor(20) as pool:

        def send(_: int) -> float:
            started = time.perf_counter()
            http.post(url, json=event).raise_for_status()
            return time.perf_counter() - started

        times = sorted(pool.map(send, range(EVENTS)))
    print(f"    p99 {times[-len(times) // 100] * 1000:.0f} ms, worst {times[-1] * 1000:.0f} ms")


def measure(at: Site) -> None:
    web, worker = running("backend.cli serve"), running("backend.cli worker")
    print(f"{'':30}{'wall':>10}{'LS CPU':>10}{'requests':>8}{'slowest':>10}")
    with Watch(worker) as watch:
        at.report.step("connect", lambda: at.done("connect", at.project.id))
        look(at, "before")
        second = rounds(at)
        at.report.step(f"{EVENTS} webhooks", lambda: burst(at))
        look(at, "after webhooks")
        audited(at)
        others(at)
    peak = megabytes(web, "VmHWM")
    print(f"memory, at most: web {peak:.0f} MB, a job of the worker {watch.peak:.0f} MB")
    compare(at.report.seconds, second, "wall, until the job ended")
    compare(at.report.cpu, at.report.cpu["label, second round"], "processor time of Label Studio")
    at.report.step("bare: delete project", lambda: delete_project(at.client, at.project.id))


def compare(spent: Mapping[str, float], round_: float, what: str) -> None:
    bare = spent["bare: list"] + spent["bare: import predictions"]
    print(f"second round / (bare list + import), {what}: {round_ / bare:.2f}")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="?", type=int, default=5000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--images", type=int, help="different images; as many as tasks by default")
    parser.add_argument("--labeled", type=int, help="labeled tasks; a twelfth by default")
    parser.add_argument("--skip", action="append", default=[], help="begin of a step's name")
    parser.add_argument("--label-studio", action="append", default=[], metavar="NAME=VALUE")
    wanted = parser.parse_args(arguments)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{wanted.tasks} tasks, {wanted.database}, {os.cpu_count()} cores, load average {load}")
    size = Size(
        wanted.tasks,
        wanted.labeled or wanted.tasks // 12,
        wanted.images or wanted.tasks,
        wanted.database,
        tuple(wanted.skip),
        dict(pair.split("=", 1) for pair in wanted.label_studio),
    )
    with tempfile.TemporaryDirectory() as folder, site(Path(folder), size) as at:
        measure(at)
    print("\n".join(at.report.failures) or "nothing failed")
    return bool(at.report.failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
