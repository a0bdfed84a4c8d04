"""What more labels would bring a project, judged by what its rounds brought so far."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backend.domain import ProjectId
from backend.policies.stopping import Round, outlook
from backend.ports import Ledgers
from backend.services.census import Census

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prospects:
    """Looks ahead; `reports` are those of a project's earlier jobs, newest first."""

    ledgers: Ledgers
    reports: Callable[[ProjectId], Iterable[Report]]

    def look(self, project: ProjectId, people: Census) -> dict[str, Any]:
        """Where the project stands now, as `standing`, and its `outlook`."""
        taken = self.ledgers.load(project).accepted
        by_people = sum(image.image.task not in taken for image in people.labeled)
        now = Round(labels=by_people, certified=len(taken))
        ahead = outlook([*self._earlier(project), now], len(people.labeled) + len(people.unlabeled))
        return {"standing": asdict(now), "outlook": asdict(ahead)}

    def _earlier(self, project: ProjectId) -> list[Round]:
        """Oldest first."""
        standings = [report["standing"] for report in self.reports(project) if "standing" in report]
        return [Round(int(one["labels"]), int(one["certified"])) for one in reversed(standings)]
