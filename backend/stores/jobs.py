"""Jobs on disk: `job.json` and `report.json` in a folder of each job."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from backend.domain.errors import BadInput
from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Job, JobResult
from backend.domain.json import Json, JsonObject
from backend.stores.atomic_files import write_whole
from backend.stores.cards import job_card, job_from

log = logging.getLogger(__name__)

_ID = re.compile(r"job-\d{8}-\d{6}-[0-9a-f]{4,}")
_REPORT = TypeAdapter(dict[str, Any])


class JobFiles:
    """The job folders of all projects below one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def save(self, job: Job) -> None:
        """Raises OutOfSpace, with the earlier state still readable."""
        write_whole(self.folder(job.request.project, job.id) / "job.json", job_card(job))

    def save_report(self, job: Job, result: JobResult) -> None:
        """Write `report.json`; a number that could not be measured becomes null.

        Raises:
            OutOfSpace: with no report left behind.
        """
        path = self.folder(job.request.project, job.id) / "report.json"
        report = report_json(job, result)
        write_whole(path, to_json(report, indent=2, inf_nan_mode="null").decode())

    def load(self, job_id: JobId) -> Job | None:
        """The job as it was last saved, with its report; None where nothing was."""
        if not _ID.fullmatch(job_id):
            return None
        found = next(self._projects.glob(f"*/jobs/{job_id}"), None)
        return _whole(found) if found else None

    def newest(self, project: ProjectId | None, *, reports: bool = True) -> Iterator[Job]:
        """Newest first, of one project or of all; a broken file is left out with a warning."""
        read = _whole if reports else _job
        folders = self._projects.glob(f"{'*' if project is None else project}/jobs/job-*")
        for folder in sorted(folders, key=lambda folder: folder.name, reverse=True):
            if job := read(folder):
                yield job

    def folder(self, project: ProjectId, job_id: JobId) -> Path:
        return self._projects / str(project) / "jobs" / job_id


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
        return job_from((folder / "job.json").read_bytes())
    except FileNotFoundError:
        return None
    except (BadInput, OSError) as exc:
        log.warning("leaving out %s: %s", folder, exc)
        return None


def _whole(folder: Path) -> Job | None:
    job = _job(folder)
    return job and replace(job, report=_report(folder))


def _report(folder: Path) -> Json | None:
    try:
        return _REPORT.validate_json((folder / "report.json").read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as exc:
        log.warning("leaving out the report of %s: %s", folder, exc)
        return None
