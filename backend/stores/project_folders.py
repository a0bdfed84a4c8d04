"""Whose data a project's folder holds: the number of a project alone does not say that.

Label Studio counts its projects from 1, so after a reset, and in another Label Studio, a number
means another project. The moment of its creation tells projects apart and survives a change of
Label Studio's address.

    projects/<id>/project.json         when the project was created
    set-aside/<id>.<seconds>/          the folder of another project of this number
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId
from backend.domain.projects import Project
from backend.stores.atomic_files import room_for, write_whole
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Origin:
    """The content of `project.json`."""

    created_at: datetime

    @property
    def seconds(self) -> int:
        """As Label Studio writes it behind the number of a project."""
        return int(self.created_at.timestamp())


_ORIGIN = TypeAdapter(_Origin)


class ProjectFolders:
    """Implements `backend.ports.stores.ProjectOrigins`; safe for several processes."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"
        self._set_aside = data_dir / "set-aside"

    def is_same(self, project: ProjectId, created: int | None) -> bool:
        known = self._read(project)
        return created is None or known is None or known.seconds == created

    def require(self, project: Project) -> None:
        if project.created_at is None:
            return
        wanted = _Origin(project.created_at.astimezone(UTC))
        if not self.is_same(project.id, wanted.seconds):
            raise BadInput(
                f"the data of project {project.id} belongs to another project of this number",
                "Was Label Studio reset or replaced? Start the job again to begin anew",
            )
        self._write(project.id, wanted)

    def claim(self, project: Project) -> None:
        if project.created_at is None:
            return
        wanted = _Origin(project.created_at.astimezone(UTC))
        if self._read(project.id) == wanted:
            return
        with room_for(self._set_aside):
            self._set_aside.mkdir(parents=True, exist_ok=True)
        with FileLock(self._set_aside / ".lock"):
            self._exchange(project.id, wanted)
            self._write(project.id, wanted)

    def _exchange(self, project: ProjectId, wanted: _Origin) -> None:
        """Set the folder of another project aside, and bring back the one that is wanted."""
        folder, known = self._projects / str(project), self._read(project)
        if known and known.seconds != wanted.seconds:
            aside = self._place(project, known)
            log.warning("project %s is another one than before; its data is in %s", project, aside)
            folder.rename(aside)
        back = self._place(project, wanted)
        if back.is_dir() and not folder.exists():
            log.warning("project %s is known from before; its data is back", project)
            self._projects.mkdir(parents=True, exist_ok=True)
            back.rename(folder)

    def _place(self, project: ProjectId, origin: _Origin) -> Path:
        return self._set_aside / f"{project}.{origin.seconds}"

    def _read(self, project: ProjectId) -> _Origin | None:
        """None if it is unknown: data from before this file existed, or a damaged file."""
        path = self._path(project)
        try:
            return parse_json(_ORIGIN, path.read_bytes(), f"the origin of a project ({path})")
        except FileNotFoundError:
            return None
        except (BadInput, OSError) as exc:
            log.warning("it is not known whose data this is: %s", exc)
            return None

    def _write(self, project: ProjectId, origin: _Origin) -> None:
        if self._read(project) is None:
            write_whole(self._path(project), _ORIGIN.dump_json(origin, indent=2).decode())

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "project.json"
