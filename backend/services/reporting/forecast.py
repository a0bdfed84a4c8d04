"""Forecast what more labels would bring, from the reports of earlier jobs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backend.domain.ids import ProjectId
from backend.domain.items import ItemKind
from backend.domain.jobs import JobRequest
from backend.policies import forecast
from backend.policies.forecast import Round
from backend.ports.stores import Ledgers
from backend.services.project_tasks import ProjectTasks, is_of_model

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Makes forecasts; `reports` are those of a project's earlier jobs, newest first."""

    ledgers: Ledgers
    reports: Callable[[ProjectId], Iterable[Report]]

    def forecast(
        self, request: JobRequest, tasks: ProjectTasks, items: ItemKind = ItemKind.IMAGE
    ) -> dict[str, Any]:
        """Return the project's `totals` now, and its `forecast`.

        The forecast is None if the project has no certificate and the job asks for none.
        """
        ledger = self.ledgers.load(request.project)
        by_people = {image.image.task for image in tasks.labeled if not is_of_model(image, ledger)}
        now = Round(labels=len(by_people), certified=len(ledger.accepted - by_people))
        rounds = [*self._earlier(request.project), now]
        ahead = forecast.forecast(rounds, len(tasks.labeled) + len(tasks.unlabeled), items)
        wanted = request.accept or now.certified
        return {"totals": asdict(now), "forecast": asdict(ahead) if wanted else None}

    def _earlier(self, project: ProjectId) -> list[Round]:
        """Return the rounds before this one, oldest first."""
        rounds = [_round(report) for report in self.reports(project)]
        return [one for one in reversed(rounds) if one]


def _round(report: Report) -> Round | None:
    """Return the totals of a report; None for another shape, such as that of another version."""
    match report.get("totals"):
        case {"labels": int(labels), "certified": int(certified)}:
            return Round(labels, certified)
        case _:
            return None
