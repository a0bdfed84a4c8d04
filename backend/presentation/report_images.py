"""Pictures beside a job's report: drawn from the report alone, and never worth a failed job."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId
from backend.domain.jobs import Job
from backend.domain.versions import ModelVersion
from backend.ports.images import Fetch
from backend.stores.atomic_files import room_for

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobImages:
    """Implements `ports.Illustrations`.

    `folder` says where a job's report lies, `versions` lists a project's, for the learning curve.
    """

    folder: Callable[[Job], Path]
    versions: Callable[[ProjectId], Sequence[ModelVersion]]
    fetch: Fetch

    def draw(self, job: Job, report: Mapping[str, Any], hardest: Sequence[ImageRef]) -> None:
        """Raises OutOfSpace."""
        from backend.presentation import plots, thumbnails  # noqa: PLC0415 - matplotlib takes a second to load

        folder = self.folder(job)
        try:
            with room_for(folder):
                thumbnails.write(folder, hardest, self.fetch)
                plots.draw(folder, plots.measured(report), self.versions(job.request.project))
        except (OSError, RuntimeError, ValueError) as exc:
            log.warning("the report of job %s is not illustrated: %s", job.id, exc)
