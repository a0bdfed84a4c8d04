"""The functions that RQ calls: for a job, for shards of one, and for a cleanup."""

import gc
import logging
import os
from importlib import import_module
from typing import Final

from backend import settings, wiring
from backend.domain.errors import AutolabelError
from backend.domain.ids import JobId, ProjectId
from backend.processes.blas_threads import limit_blas_threads
from backend.settings import Settings

log = logging.getLogger(__name__)

_SLOW_TO_LOAD: Final = (
    "matplotlib.figure",
    "scipy.optimize",
    "PIL.Image",
    "backend.models.embedding.extractors",
    "backend.models.classification.family",
    "backend.models.detection.family",
    "backend.models.detection.ultralytics_engine.detector",
    "backend.models.imported.family",
    "backend.models.items",
    "backend.models.texts.extractor",
)
"""Needed by nearly every job. Nothing that loads torch: a CUDA context does not survive a fork."""

_SPINS: Final = "10000"
"""Rounds that a thread of OpenMP waits in a loop before it sleeps: some ten microseconds.

By default it loops for milliseconds, which the thread that it waits for may need on a busy machine.
On two processors that others used too, a small detector was trained in 34 s in place of 162 s.
"""


_COLLECT_AFTER: Final = 5_000
"""New objects after which Python looks for cycles among them. It looked after 700, and each time
that it looked at all objects, also at those of the packages: 0.9 s of a job on 5,000 tasks."""


def preload(configured: Settings) -> None:
    """Load the slow packages; a worker does so before it forks, once instead of at each job.

    Numpy's and SciPy's BLAS, which these packages load, compute in one thread from then on. What is
    loaded stays, so Python does not search it for garbage.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)  # read once, when torch is loaded
    os.environ.setdefault("MPLCONFIGDIR", str(configured.data_dir / "matplotlib"))
    for module in _SLOW_TO_LOAD:
        import_module(module)
    limit_blas_threads()
    gc.set_threshold(_COLLECT_AFTER)
    gc.freeze()


def run_job(job: str) -> None:
    """Run one queued job to its end."""
    configured = settings.load()
    preload(configured)
    wiring.runner(configured)(JobId(job))


def run_shards(project: int, job: str) -> None:
    """Do parts of a job that another worker runs; what fails is left to that one."""
    configured = settings.load()
    preload(configured)
    try:
        wiring.shard_runner(configured)(ProjectId(project), JobId(job))
    except AutolabelError as exc:
        log.warning("a shard of job %s is left to its job: %s", job, exc)


def run_cleanup(project: int) -> None:
    """Delete what jobs of a project superseded, until it is done or a job waits."""
    try:
        wiring.cleaner(settings.load())(ProjectId(project))
    except AutolabelError as exc:
        log.warning("project %s: the cleanup waits for its next job: %s", project, exc)
