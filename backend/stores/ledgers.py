"""The ledger of each project, `ledger.json`: its audits, and what was accepted."""

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from backend.domain.ids import ProjectId
from backend.domain.versions import Ledger
from backend.stores import old_ledgers
from backend.stores.atomic_files import room_for, write_whole
from backend.stores.validation import parse_json

_LEDGER = TypeAdapter(Ledger)


class LedgerFiles:
    """Implements `ports.stores.Ledgers`. A job and an undo may write at the same time."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def load(self, project: ProjectId) -> Ledger:
        """The ledger, an empty one if there is none yet.

        Raises:
            BadInput: when it is damaged. Guarantees depend on it, so it is never reset.
        """
        path = self._path(project)
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return Ledger()
        ledger = parse_json(_LEDGER, text, f"a ledger ({path})")
        return old_ledgers.converted(ledger, text) if b'"attempts"' in text else ledger

    def save(self, project: ProjectId, ledger: Ledger) -> None:
        """Raises OutOfSpace, with the previous ledger still in place."""
        write_whole(self._path(project), _LEDGER.dump_json(ledger, indent=2).decode())

    def change(self, project: ProjectId, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Load the ledger, apply `change` and save the result, under an exclusive lock.

        Raises OutOfSpace, with the previous ledger still in place.
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
