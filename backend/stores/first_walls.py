"""Which projects are to be shown what to label first, and which have been.

projects/<id>/first-wall
"""

from pathlib import Path

from backend.domain.ids import ProjectId
from backend.stores.atomic_files import write_whole

_WANTED, _MADE = "wanted\n", "made\n"


class FirstWallFiles:
    """Implements `backend.ports.stores.FirstWalls`."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def want(self, project: ProjectId) -> None:
        if not self._path(project).exists():
            write_whole(self._path(project), _WANTED)

    def is_wanted(self, project: ProjectId) -> bool:
        path = self._path(project)
        return path.exists() and path.read_text("utf-8") == _WANTED

    def remember(self, project: ProjectId) -> None:
        write_whole(self._path(project), _MADE)

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "first-wall"
