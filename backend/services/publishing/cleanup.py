"""Cleanup after a version is shown; its failure does not fail the job.

The next job repeats all of it, so a step that fails now is skipped and named in the report.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.domain.errors import AutolabelError, OutOfSpace, QueueUnreachable, Stopped

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SkippedCleanup:
    """A cleanup step that was skipped, and the reason."""

    what: str
    reason: str


@dataclass(slots=True)
class Cleanup:
    """Runs cleanup steps; after a request to stop, it skips the rest."""

    skipped_cleanup: list[SkippedCleanup] = field(default_factory=list[SkippedCleanup])
    _stopped: Stopped | None = None

    def __call__(self, what: str, work: Callable[[], object]) -> None:
        """Do `work`, unless somebody asked to stop.

        Raises:
            OutOfSpace: since the report would not fit on the disk either.
            QueueUnreachable: when Redis lost the job, which may run elsewhere by now.
        """
        try:
            if self._stopped:
                raise self._stopped
            work()
        except (OutOfSpace, QueueUnreachable):
            raise
        except (AutolabelError, OSError) as exc:
            if isinstance(exc, Stopped):
                self._stopped = exc
            log.warning("left undone, %s: %s", what, exc)
            self.skipped_cleanup.append(SkippedCleanup(what, str(exc)))
