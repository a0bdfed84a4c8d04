"""Which projects have been shown what to label first, so that it is shown once.

projects/<id>/first-wall
"""

from pathlib import Path

from backend.domain.ids import ProjectId
from backend.stores.atomic_files import write_whole


class FirstWallFiles:
    """Implements `backend.ports.stores.FirstWalls`."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def is_made(self, project: ProjectId) -> bool:
        return self._path(project).exists()

    def remember(self, project: ProjectId) -> None:
        write_whole(self._path(project), "")

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "first-wall"
