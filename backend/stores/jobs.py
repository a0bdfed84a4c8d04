"""Job folders.

job.json     the job
tasks.json   the ids of the tasks that it is limited to, if it is
report.json  its report, once it has one
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter
from pydantic_core import to_json

from backend.domain.errors import BadInput
from backend.domain.ids import JobId, ProjectId, TaskId
from backend.domain.jobs import Job, JobResult
from backend.domain.json import Json, JsonObject
from backend.stores.atomic_files import write_whole
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)

_ID = re.compile(r"job-\d{8}-\d{6}-[0-9a-f]{4,}")
_JOB = TypeAdapter(Job)
_REPORT = TypeAdapter(JsonObject)
_TASKS = TypeAdapter(tuple[TaskId, ...])
_AGAIN = "Start the job again"


def job_to_json(job: Job) -> str:
    """Serialize a job without its report, which has a file of its own."""
    return to_json(replace(job, report=None), indent=2, inf_nan_mode="constants").decode()


def job_from_json(text: str | bytes) -> Job:
    """Raises BadInput, naming the field that does not fit."""
    return parse_json(_JOB, text, "a job")


class JobFiles:
    """The job folders of all projects below one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def save(self, job: Job) -> None:
        """Write `job.json`.

        Raises:
            OutOfSpace: with the previous state still in place.
        """
        write_whole(self.folder(job.request.project, job.id) / "job.json", job_to_json(job))

    def save_report(self, job: Job, result: JobResult) -> None:
        """Write `report.json`; NaN and infinite numbers become null.

        Raises:
            OutOfSpace: with nothing written.
        """
        path = self.folder(job.request.project, job.id) / "report.json"
        report = report_json(job, result)
        write_whole(path, to_json(report, indent=2, inf_nan_mode="null").decode())

    def save_chosen(self, job: Job, tasks: Sequence[TaskId]) -> None:
        """Write `tasks.json`. Raises OutOfSpace, with nothing written."""
        write_whole(self._chosen(job), _TASKS.dump_json(tuple(tasks)).decode())

    def forget_chosen(self, job: Job) -> None:
        """Delete `tasks.json` of a job that was not queued."""
        self._chosen(job).unlink(missing_ok=True)
        with suppress(OSError):  # the folder is missing, or not empty
            self._chosen(job).parent.rmdir()

    def with_chosen(self, job: Job) -> Job:
        """Return the job with the ids of the tasks that it is limited to.

        Raises:
            BadInput: when they are damaged or lost. Without them the job would take all tasks.
        """
        if not job.chosen:
            return job
        try:
            text = self._chosen(job).read_bytes()
        except OSError as exc:
            raise BadInput(f"the list of chosen tasks is gone: {exc.strerror}", _AGAIN) from exc
        tasks = parse_json(_TASKS, text, f"a list of tasks ({self._chosen(job)})")
        if len(tasks) != job.chosen:
            raise BadInput(f"{len(tasks)} of {job.chosen} chosen tasks are listed", _AGAIN)
        return replace(job, request=replace(job.request, task_ids=tasks))

    def load(self, job_id: JobId) -> Job | None:
        """The last saved state of a job, with its report; None if there is none."""
        if not _ID.fullmatch(job_id):
            return None
        folder = next(self._projects.glob(f"*/jobs/{job_id}"), None)
        return _job_with_report(folder) if folder else None

    def newest(self, project: ProjectId | None, *, reports: bool = True) -> Iterator[Job]:
        """Jobs of one project or of all, newest first.

        Logs a warning for each unreadable file and skips it.
        """
        read = _job_with_report if reports else _job
        for folder in self._folders(project):
            if job := read(folder):
                yield job

    def ids(self) -> Iterator[JobId]:
        """The ids of the jobs of all projects, newest first; reads no file."""
        return (JobId(folder.name) for folder in self._folders(None))

    def _folders(self, project: ProjectId | None) -> list[Path]:
        found = self._projects.glob(f"{'*' if project is None else project}/jobs/job-*")
        named = [folder for folder in found if _is_id(folder.name)]
        return sorted(named, key=lambda folder: folder.name, reverse=True)

    def _chosen(self, job: Job) -> Path:
        return self.folder(job.request.project, job.id) / "tasks.json"

    def folder(self, project: ProjectId, job_id: JobId) -> Path:
        return self._projects / str(project) / "jobs" / job_id


def _is_id(name: str) -> bool:
    """Whether a name is a job id, with a date that exists."""
    if not _ID.fullmatch(name):
        return False
    try:
        datetime.strptime(name[:19], "job-%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def report_json(job: Job, result: JobResult) -> JsonObject:
    """Serialize a result as the content of `report.json`."""
    return {
        "job": job.id,
        "project": job.request.project,
        "mode": job.request.mode.value,
        "algorithm": job.request.algorithm.value,
        "version": result.version,
        "reason": result.reason,
        "accepted": result.accepted,
        **result.sections,
    }


def _job(folder: Path) -> Job | None:
    try:
        return job_from_json((folder / "job.json").read_bytes())
    except FileNotFoundError:
        return None
    except (BadInput, OSError) as exc:
        log.warning("skipping %s: %s", folder, exc)
        return None


def _job_with_report(folder: Path) -> Job | None:
    job = _job(folder)
    return job and replace(job, report=_report(folder))


def _report(folder: Path) -> Json | None:
    try:
        return parse_json(_REPORT, (folder / "report.json").read_bytes(), "a report")
    except FileNotFoundError:
        return None
    except (BadInput, OSError) as exc:
        log.warning("skipping the report of %s: %s", folder, exc)
        return None
