"""What each project must remember of its random lane and of what it accepted: `ledger.json`."""

from pathlib import Path

from pydantic import TypeAdapter

from backend.domain import Ledger, ProjectId
from backend.durable import write_whole

_LEDGER = TypeAdapter(Ledger)


class LedgerFiles:
    """Implements `ports.Ledgers`; one job of a project at a time writes."""

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

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "ledger.json"
