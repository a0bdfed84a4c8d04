"""Which projects cannot be watched for new annotations, for health checks and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.domain.ids import ProjectId


@dataclass(frozen=True, slots=True)
class WatchFailures:
    """Written by the loop that starts trainings, read by the web process; for many threads."""

    _messages: dict[ProjectId, str] = field(default_factory=dict[ProjectId, str])

    def record(self, project: ProjectId, message: str) -> None:
        self._messages[project] = message

    def clear(self, project: ProjectId) -> None:
        self._messages.pop(project, None)

    def all(self) -> Mapping[ProjectId, str]:
        """Return the newest failure of each project whose last check failed."""
        return dict(self._messages)
