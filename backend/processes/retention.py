"""The sweep of an idle worker: delete what nothing needs any more.

| what | what stays | setting, after `AUTOLABEL_` |
|---|---|---|
| job folders | the newest, and those whose accepted labels are in use | `KEEP_JOBS` |
| versions of failed jobs | those in use | |
| features of a backbone | what a job used in the last days | `KEEP_DAYS` |
| features of a backbone | the newest, up to a size | `FEATURE_CACHE_GIGABYTES` |
| image addresses | checked in the last days, or the image is stored | `KEEP_DAYS` |
| damaged files | set aside in the last days | `KEEP_DAYS` |
| log of the embedded Redis | 10 MB, and the 10 MB before | |
"""

import logging
import sqlite3
from collections.abc import Callable, Mapping

from filelock import FileLock, Timeout

from backend.domain.errors import AutolabelError
from backend.label_studio.images import forget_old_images
from backend.models.embedding.feature_cache import FeatureCache
from backend.settings import Settings
from backend.stores import retention

log = logging.getLogger(__name__)

LARGEST_LOG = 10_000_000
"""Bytes."""


def sweep(settings: Settings) -> None:
    """Delete what nothing needs any more, unless another worker is doing so. Never raises."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(settings.data_dir / ".sweep.lock", timeout=0):
            _sweep(settings)
    except (Timeout, OSError) as exc:
        log.info("nothing is swept now: %s", exc)


def _sweep(settings: Settings) -> None:
    done = {what: _count(what, work) for what, work in _parts(settings).items()}
    if any(done.values()):
        counts = ", ".join(f"{count} {what}" for what, count in done.items() if count)
        log.info("deleted: %s", counts)


def _parts(settings: Settings) -> Mapping[str, Callable[[], int]]:
    folder, days = settings.data_dir, settings.keep_days
    return {
        "old jobs": lambda: retention.remove_old_jobs(folder, settings.keep_jobs),
        "versions of failed jobs": lambda: retention.remove_failed_versions(folder),
        "unused files": lambda: retention.remove_unused_files(folder, days),
        "image features": lambda: _trim_features(settings),
        "old image addresses": lambda: forget_old_images(folder, days),
        "logs": lambda: retention.rotate_log(folder / "redis" / "redis.log", LARGEST_LOG),
    }


def _trim_features(settings: Settings) -> int:
    most = int(settings.feature_cache_gigabytes * 1e9)
    paths = settings.data_dir.glob("features/*.sqlite")
    return sum(FeatureCache(path).trim(most) for path in paths)


def _count(what: str, work: Callable[[], int]) -> int:
    """Do one part; the others go on when it fails."""
    try:
        return work()
    except (AutolabelError, OSError, sqlite3.Error) as exc:
        log.warning("%s are not deleted: %s", what, exc)
        return 0
