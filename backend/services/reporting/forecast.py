"""What more labels would bring a project, judged by what its rounds brought so far."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backend.domain.ids import ProjectId
from backend.domain.jobs import JobRequest
from backend.policies.forecast import Round, forecast
from backend.ports.stores import Ledgers
from backend.services.project_tasks import ProjectTasks

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Looks ahead; `reports` are those of a project's earlier jobs, newest first."""

    ledgers: Ledgers
    reports: Callable[[ProjectId], Iterable[Report]]

    def look(self, request: JobRequest, people: ProjectTasks) -> dict[str, Any]:
        """Where the project stands now, as `totals`, and its `forecast`.

        Without a certificate, had or wanted, there is nothing to look out for: None.
        """
        taken = self.ledgers.load(request.project).accepted
        by_people = sum(image.image.task not in taken for image in people.labeled)
        now = Round(labels=by_people, certified=len(taken))
        rounds = [*self._earlier(request.project), now]
        ahead = forecast(rounds, len(people.labeled) + len(people.unlabeled))
        wanted = request.accept or now.certified
        return {"totals": asdict(now), "forecast": asdict(ahead) if wanted else None}

    def _earlier(self, project: ProjectId) -> list[Round]:
        """Oldest first."""
        rounds = [_round(report) for report in self.reports(project)]
        return [one for one in reversed(rounds) if one]


def _round(report: Report) -> Round | None:
    """The totals of a report; None for another shape, such as that of another version."""
    match report.get("totals"):
        case {"labels": int(labels), "certified": int(certified)}:
            return Round(labels, certified)
        case _:
            return None
