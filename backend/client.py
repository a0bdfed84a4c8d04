"""A small client of the JSON API, for scripts and notebooks: see docs/sdk.md.

Imports nothing of the rest of the package, and no model runtime.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, cast

import httpx
from rich.progress import Progress as Bar

Mode = Literal["active-learning", "pre-labeling", "auto-grouping", "suggesting"]
Algorithm = Literal["fast", "precise"]

_LIVE = {"queued", "running", "stopping"}
_BATCH_SECONDS = 300
"""For one batch of `retrieve_predictions`: Label Studio waits 100 s for the answer, then stores."""

_AWAY_SECONDS = 60.0
"""How long `wait` bears a backend that does not answer, for it may be restarting."""


class RequestFailed(Exception):
    """The backend refused or could not do what was asked.

    `code` is that of the API, `reasons` are all reasons of a refusal, `hint` says what to do.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", reasons: Sequence[str] = ()
    ) -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.code = code
        self.hint = hint
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class ClientJob:
    """A job as it was when it was asked for.

    `progress` is in [0, 1]; `reason` says why the job is in its state; `report` is the content of
    its `report.json` once it has ended.
    """

    id: str
    project: int
    mode: str
    state: str
    progress: float
    step: str
    reason: str
    version: str | None
    report: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def has_ended(self) -> bool:
        return self.state not in _LIVE

    @property
    def succeeded(self) -> bool:
        return self.state == "finished"


class AutolabelClient:
    """Starts, follows and undoes jobs of one backend.

    Args:
        url: of the backend.
        user: for HTTP Basic authentication, if the backend asks for it.
        password: likewise.
        timeout: seconds that a request may take; the first one for a large project counts labels.
        transport: another way to send requests, for tests.
    """

    def __init__(
        self,
        url: str = "http://localhost:9090",
        user: str = "",
        password: str = "",
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        auth = httpx.BasicAuth(user, password) if user else None
        self._http = httpx.Client(
            base_url=url.rstrip("/"), auth=auth, timeout=timeout, transport=transport
        )

    def start(
        self,
        project: int,
        mode: Mode = "active-learning",
        algorithm: Algorithm = "fast",
        *,
        model_version: str | None = None,
        accept: bool = False,
        task_ids: Sequence[int] = (),
        **more: Any,
    ) -> ClientJob:
        """Start a job, or join the one that is running in this project.

        `more` are further fields of `POST /api/projects/<id>/jobs`, such as `max_error`.

        Raises:
            RequestFailed: with all reasons, when the preconditions do not hold.
        """
        body = {"mode": mode, "algorithm": algorithm, "accept": accept, **more}
        if model_version:
            body["model_version"] = model_version
        if task_ids:
            body["task_ids"] = list(task_ids)
        return _job(self._call("POST", f"/api/projects/{project}/jobs", body)["job"])

    def wait(
        self,
        job: ClientJob,
        *,
        progress: bool = True,
        every: float = 1.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> ClientJob:
        """Follow a job to its end, with a progress bar; returns it with its report.

        A backend that does not answer for less than a minute is asked again.

        Raises:
            RequestFailed: when the job is unknown, or the backend stays away.
        """
        with _bar(job.id, shown=progress) as show:
            away = 0.0
            while True:
                try:
                    job, away = self.job(job.id), 0.0
                except httpx.TransportError as exc:
                    away += max(every, 0.1)
                    if away > _AWAY_SECONDS:
                        raise RequestFailed("unreachable", f"the backend is away: {exc}") from exc
                show(job)
                if job.has_ended:
                    return job
                pause(every)

    def run(self, project: int, mode: Mode = "active-learning", **fields: Any) -> ClientJob:
        """Start a job and wait for its end. Takes what `start` takes."""
        return self.wait(self.start(project, mode, **fields))

    def job(self, job: str) -> ClientJob:
        """Return a job as it is now."""
        return _job(self._call("GET", f"/api/jobs/{job}"))

    def jobs(self, project: int) -> list[ClientJob]:
        """Return the jobs of a project, newest first."""
        found: list[Any] = self._call("GET", f"/api/projects/{project}/jobs")["jobs"]
        return [_job(one) for one in found]

    def report(self, job: ClientJob | str) -> Mapping[str, Any]:
        """Return the report of a job; empty while it has none."""
        return self.job(job if isinstance(job, str) else job.id).report

    def stop(self, job: ClientJob | str) -> ClientJob:
        """Ask a job to stop; what it already published stays."""
        number = job if isinstance(job, str) else job.id
        return _job(self._call("POST", f"/api/jobs/{number}/stop", {})["job"])

    def undo(self, job: ClientJob | str) -> ClientJob:
        """Start the job that deletes the annotations which this one accepted; returns it.

        Raises:
            RequestFailed: when it accepted nothing, was undone, or another job is live.
        """
        number = job if isinstance(job, str) else job.id
        return _job(self._call("POST", f"/api/jobs/{number}/undo", {})["job"])

    def status(self, project: int) -> Mapping[str, Any]:
        """Return whether a job may start, and if not, why; images by label; the version in use."""
        return self._call("GET", f"/api/projects/{project}/status")

    def versions(self, project: int) -> list[Mapping[str, Any]]:
        """Return the cards of all model versions, newest first."""
        return self._call("GET", f"/api/projects/{project}/versions")["versions"]

    def activate(self, project: int, version: str) -> Mapping[str, Any]:
        """Make a version the current one; returns its card."""
        return self._call("POST", f"/api/projects/{project}/versions/{version}/activate", {})

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        response = self._http.request(method, path, json=body)
        try:
            answer: Any = response.json()
        except ValueError as exc:
            what = f"{method} {path} was answered {response.status_code} without JSON"
            raise RequestFailed("not_json", what, "Is this the address of the backend?") from exc
        if response.is_success:
            return answer
        error: Mapping[str, Any] = answer.get("error", {})
        reasons = [str(one.get("message", "")) for one in error.get("reasons", ())]
        raise RequestFailed(
            str(error.get("code", response.status_code)),
            str(error.get("message", response.reason_phrase)),
            str(error.get("hint") or ""),
            reasons,
        )


def retrieve_predictions(
    label_studio: Any, project: int, tasks: Sequence[int] = (), *, size: int = 200
) -> int:
    """Press Label Studio's own "Retrieve Predictions", for `size` tasks at a time.

    Label Studio sends everything that is selected in one request, which gateways cut off after a
    minute. The version in use answers. Returns the number of tasks asked for; Label Studio does not
    say how many were answered.

    Args:
        label_studio: a `label_studio_sdk.LabelStudio`.
        project: whose tasks to predict.
        tasks: to predict; without, all tasks of the project.
        size: tasks in one request.
    """
    chosen = list(tasks) or _all_tasks(label_studio, project)
    for start in range(0, len(chosen), size):
        label_studio.actions.create(
            project=project,
            id="retrieve_tasks_predictions",
            selected_items={"all": False, "included": chosen[start : start + size]},
            request_options={"timeout_in_seconds": _BATCH_SECONDS},
        )
    return len(chosen)


def _all_tasks(label_studio: Any, project: int) -> list[int]:
    rows = label_studio.tasks.list(
        project=project, fields="task_only", include="id", page_size=1000
    )
    return [int(row.id) for row in rows]


def _job(body: Mapping[str, Any]) -> ClientJob:
    return ClientJob(
        body["id"],
        body["project"],
        body["mode"],
        body["state"],
        body["progress"],
        body["step"],
        body["reason"],
        body["version"],
        cast("Mapping[str, Any] | None", body["report"]) or {},
    )


def _silent(_job: ClientJob) -> None:
    """Show nothing."""


@contextmanager
def _bar(name: str, *, shown: bool) -> Generator[Callable[[ClientJob], None]]:
    """Show a progress bar; it disappears from output that is no terminal."""
    if not shown:
        yield _silent
        return
    with Bar() as bar:
        row = bar.add_task(name, total=1.0)

        def show(job: ClientJob) -> None:
            bar.update(row, completed=job.progress, description=job.step or job.state)

        yield show
