"""Delete what nothing needs any more: old jobs, versions of failed jobs, unused files.

Each function returns how many it deleted.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, VersionName
from backend.domain.jobs import Job, JobState
from backend.domain.versions import ModelVersion
from backend.stores.jobs import JobFiles
from backend.stores.ledgers import LedgerFiles
from backend.stores.unfinished import UnfinishedJobFiles
from backend.stores.versions import VersionStore

log = logging.getLogger(__name__)

_DAY = 24 * 3600.0
_REMOVED = ".removed-"
_UNUSED = (
    "features/*.sqlite",
    "features/*.damaged-*",
    "images/damaged-*",
    "projects/*/damaged-*",
    "texts/damaged-*",
    "weights/damaged-*",
)
"""Caches that are recomputed, and damaged files that were set aside."""


def remove_old_jobs(data_dir: Path, keep: int) -> int:
    """Delete the folders of all but the newest `keep` jobs of each project.

    Those stay whose accepted labels are in use: they can be undone, and prove a certificate.
    """
    removed = 0
    for project in _projects(data_dir):
        for leftover in (data_dir / "projects" / str(project) / "jobs").glob(f"{_REMOVED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            removed += _remove_jobs(data_dir, project, keep)
        except BadInput as exc:  # nobody knows which jobs a damaged ledger needs
            log.warning("the jobs of project %s are kept: %s", project, exc)
    return removed


def _remove_jobs(data_dir: Path, project: ProjectId, keep: int) -> int:
    acceptances = LedgerFiles(data_dir).load(project).acceptances
    needed = {name for name, one in acceptances.items() if not one.undone}
    removed = 0
    for job in list(JobFiles(data_dir).newest(project, reports=False))[keep:]:
        folder = JobFiles(data_dir).folder(project, job.id)
        is_proof = (folder / "certificate.json").exists()
        if job.state.is_live or job.id in needed or is_proof:
            continue
        aside = folder.with_name(f"{_REMOVED}{job.id}")
        folder.rename(aside)  # at once, so that no reader sees half a folder
        shutil.rmtree(aside, ignore_errors=True)
        removed += 1
    return removed


def remove_failed_versions(data_dir: Path) -> int:
    """Delete versions that a job published before it failed or was stopped, unless in use.

    They would push good ones out of those to keep. That of a job that may be resumed stays.
    """
    versions, unfinished, removed = VersionStore(data_dir), UnfinishedJobFiles(data_dir), 0
    for project in _projects(data_dir):
        jobs = list(JobFiles(data_dir).newest(project, reports=False))
        good = {job.version for job in jobs if job.state is JobState.FINISHED}
        good.add(unfinished.version(project))
        bad = [job for job in jobs if job.state in {JobState.FAILED, JobState.STOPPED}]
        names: list[VersionName] = [
            card.name
            for card in versions.all(project)
            if card.name not in good and any(_was_made_by(card, job) for job in bad)
        ]
        removed += len(versions.discard(project, names)) if names else 0
    return removed


def remove_unused_files(data_dir: Path, days: float) -> int:
    """Delete caches that no job opened for so many days, and damaged files as old."""
    removed = 0
    for pattern in _UNUSED:
        for path in data_dir.glob(pattern):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > days * _DAY:
                    for part in (path, *path.parent.glob(f"{path.name}-*")):
                        part.unlink()
                    removed += 1
    return removed


def rotate_log(path: Path, most: int) -> int:
    """Rename a log of more than `most` bytes, in place of the one renamed before."""
    if not path.is_file() or path.stat().st_size <= most:
        return 0
    path.replace(path.with_name(f"{path.name}.1"))
    return 1


def _projects(data_dir: Path) -> Iterator[ProjectId]:
    for folder in sorted(data_dir.glob("projects/*")):
        if folder.name.isdecimal():
            yield ProjectId(int(folder.name))


def _was_made_by(card: ModelVersion, job: Job) -> bool:
    return bool(job.started_at and job.ended_at and job.started_at <= card.created <= job.ended_at)
