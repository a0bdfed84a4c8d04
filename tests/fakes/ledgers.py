"""Ledgers in memory; implements `backend.ports.stores.Ledgers`."""

from collections.abc import Callable
from dataclasses import dataclass, field

from backend.domain.ids import ProjectId
from backend.domain.versions import Ledger


@dataclass
class FakeLedgers:
    """`saved` holds the ledger of each project that has one."""

    saved: dict[ProjectId, Ledger] = field(default_factory=dict)

    def load(self, project: ProjectId) -> Ledger:
        return self.saved.get(project, Ledger())

    def save(self, project: ProjectId, ledger: Ledger) -> None:
        self.saved[project] = ledger

    def change(self, project: ProjectId, change: Callable[[Ledger], Ledger]) -> Ledger:
        self.saved[project] = change(self.load(project))
        return self.saved[project]
