"""The function that RQ calls, with the id of a job."""

import os
from importlib import import_module
from typing import Final

from backend import settings, wiring
from backend.domain.ids import JobId
from backend.processes.blas_threads import limit_blas_threads
from backend.settings import Settings

_SLOW_TO_LOAD: Final = ("matplotlib.figure", "scipy.optimize", "PIL.Image")
"""Needed by every job. Nothing that loads torch: a CUDA context does not survive a fork."""


def preload(configured: Settings) -> None:
    """Load the slow packages; a worker does so before it forks, once instead of at each job.

    Numpy's and SciPy's BLAS, which these packages load, compute in one thread from then on.
    """
    os.environ.setdefault("MPLCONFIGDIR", str(configured.data_dir / "matplotlib"))
    for module in _SLOW_TO_LOAD:
        import_module(module)
    limit_blas_threads()


def run_job(job: str) -> None:
    """Run one queued job to its end."""
    configured = settings.load()
    preload(configured)
    wiring.runner(configured)(JobId(job))
