"""What a job still puts in order once its version is shown: no reason to call the round failed.

The next job does all of it anew, so what cannot be done now is named in the report and left.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.domain.errors import AutolabelError, OutOfSpace, QueueUnreachable, Stopped

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SkippedCleanup:
    """What was to be put in order, and why it was not."""

    what: str
    reason: str


@dataclass(slots=True)
class Cleanup:
    """Does one thing after the other; after a request to stop, nothing more."""

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
