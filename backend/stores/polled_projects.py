"""Which projects the backend looks at itself, and what it saw last.

projects/<id>/polling.json
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId
from backend.domain.projects import LastLook
from backend.stores.atomic_files import write_whole
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)

_FILE = "polling.json"


@dataclass(frozen=True, slots=True)
class _Polled:
    """The content of `polling.json`; `connected` is False for one that a person disconnected."""

    connected: bool = True
    last: LastLook | None = None


_POLLED = TypeAdapter(_Polled)


class PolledProjectFiles:
    """Implements `backend.ports.stores.PolledProjects`."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def connect(self, project: ProjectId) -> None:
        self._write(project, replace(self._read(project) or _Polled(), connected=True))

    def disconnect(self, project: ProjectId) -> None:
        self._write(project, _Polled(connected=False))

    def all(self) -> list[ProjectId]:
        folders = [path.parent for path in self._projects.glob(f"*/{_FILE}")]
        trained = [path.parent for path in self._projects.glob("*/current")]
        numbers = {int(one.name) for one in (*folders, *trained) if one.name.isdecimal()}
        known = {ProjectId(number): self._read(ProjectId(number)) for number in sorted(numbers)}
        return [project for project, found in known.items() if found is None or found.connected]

    def last_look(self, project: ProjectId) -> LastLook | None:
        found = self._read(project)
        return found.last if found else None

    def remember(self, project: ProjectId, look: LastLook) -> None:
        known = self._read(project) or _Polled()
        if known.last != look:
            self._write(project, replace(known, last=look))

    def _read(self, project: ProjectId) -> _Polled | None:
        """None if nobody connected or disconnected the project, or the file is damaged."""
        path = self._path(project)
        try:
            return parse_json(_POLLED, path.read_bytes(), f"the last look at a project ({path})")
        except FileNotFoundError:
            return None
        except (BadInput, OSError) as exc:
            log.warning("a project is looked at anew: %s", exc)
            return None

    def _write(self, project: ProjectId, polled: _Polled) -> None:
        write_whole(self._path(project), _POLLED.dump_json(polled, indent=2).decode())

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / _FILE
