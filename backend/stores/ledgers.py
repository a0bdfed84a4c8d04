"""What each project must remember of its random lane and of what it accepted: `ledger.json`."""

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from backend.domain.ids import ProjectId
from backend.domain.versions import Ledger
from backend.stores.atomic_files import room_for, write_whole

_LEDGER = TypeAdapter(Ledger)


class LedgerFiles:
    """Implements `ports.Ledgers`; a job and an undo may write at the same time."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def load(self, project: ProjectId) -> Ledger:
        """An empty one where there is none yet. A damaged one raises: promises hang on it."""
        try:
            return _LEDGER.validate_json(self._path(project).read_bytes())
        except FileNotFoundError:
            return Ledger()

    def save(self, project: ProjectId, ledger: Ledger) -> None:
        """Raises OutOfSpace, with the old one still in place."""
        write_whole(self._path(project), _LEDGER.dump_json(ledger, indent=2).decode())

    def change(self, project: ProjectId, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Save what `change` makes of the newest one; one process at a time.

        Raises OutOfSpace, with the old one still in place.
        """
        path = self._path(project).with_suffix(".lock")
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            held = FileLock(path).acquire()
        with held:
            before = self.load(project)
            after = change(before)
            if after != before:
                self.save(project, after)
        return after

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "ledger.json"
