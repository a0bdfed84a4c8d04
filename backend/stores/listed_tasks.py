"""The unlabeled tasks that a round of each project listed last.

projects/<id>/.listed.json

The next round guesses by them what it will list, so a file that is missing or damaged is no fault.
Backups leave out names that begin with a dot.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from backend.domain.answers import ImageRef
from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId
from backend.stores.atomic_files import write_whole
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)

MOST_BYTES: Final = 32_000_000
"""Of a file: addresses of 300,000 images or so. Longer ones would take longer to read than they
save."""

_TASKS = TypeAdapter(tuple[ImageRef, ...])


class ListedTaskFiles:
    """Implements `backend.ports.stores.ListedTasks`."""

    def __init__(self, data_dir: Path, most_bytes: int = MOST_BYTES) -> None:
        self._projects = data_dir / "projects"
        self._most_bytes = most_bytes

    def remember(self, project: ProjectId, tasks: Sequence[ImageRef]) -> None:
        path, text = self._path(project), _TASKS.dump_json(tuple(tasks))
        if len(text) <= self._most_bytes:
            write_whole(path, text)
        else:
            path.unlink(missing_ok=True)

    def last(self, project: ProjectId) -> Sequence[ImageRef]:
        path = self._path(project)
        try:
            return parse_json(_TASKS, path.read_bytes(), "a list of tasks")
        except FileNotFoundError:
            return ()
        except (BadInput, OSError) as exc:
            log.warning("%s cannot be read, so no list is guessed by it: %s", path, exc)
            return ()

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / ".listed.json"
