"""Plots and thumbnails in the folder of a job's report."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.domain.ids import ProjectId
from backend.domain.jobs import Job
from backend.domain.versions import ModelVersion
from backend.ports.images import WritePreview
from backend.stores.atomic_files import room_for

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobImages:
    """Implements `ports.stores.Illustrations`.

    `folder` locates a job's report; `versions` lists those of a project, for the learning curve;
    `write_preview` writes a small copy of an image.
    """

    folder: Callable[[Job], Path]
    versions: Callable[[ProjectId], Sequence[ModelVersion]]
    write_preview: WritePreview

    def draw(self, job: Job, report: Mapping[str, Any], hardest: Sequence[ImageRef]) -> None:
        """Write all images; failing to do so does not fail the job.

        Raises:
            OutOfSpace: when the disk is full.
        """
        from backend.presentation import plots  # noqa: PLC0415 - matplotlib takes a second to load

        folder = self.folder(job)
        try:
            with room_for(folder):
                write_thumbnails(folder, hardest, self.write_preview)
                plots.draw(folder, plots.measured(report), self.versions(job.request.project))
        except (OSError, RuntimeError, ValueError) as exc:
            log.warning("the report of job %s is not illustrated: %s", job.id, exc)


def write_thumbnails(folder: Path, refs: Iterable[ImageRef], write_preview: WritePreview) -> None:
    """Write `task-<id>.jpg` for each image that can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    for ref in refs:
        with suppress(UnreadableImage):
            write_preview(ref, folder / f"task-{ref.task}.jpg")
