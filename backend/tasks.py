"""What the queue calls: ids in, nothing out. Imported by the work horse alone."""

from backend import settings, wiring
from backend.domain import JobId


def run_job(job: str) -> None:
    """Run one queued job to its end."""
    wiring.runner(settings.load())(JobId(job))
