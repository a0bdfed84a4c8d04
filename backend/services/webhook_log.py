"""Which webhooks arrived since the process began, for polling and health checks."""

from collections import Counter

from backend.domain.ids import ProjectId


class WebhookLog:
    """Written by the routes, read by the polling loop and `/health`; for many threads."""

    def __init__(self) -> None:
        self._heard: Counter[ProjectId] = Counter()
        self._nameless = 0

    def hear(self, project: ProjectId) -> None:
        """Note a webhook of a project."""
        self._heard[project] += 1

    def hear_nameless(self) -> None:
        """Note a webhook that names no project, which cannot be acted on."""
        self._nameless += 1

    def heard(self, project: ProjectId) -> int:
        """Return how many webhooks of a project arrived."""
        return self._heard[project]

    @property
    def nameless(self) -> int:
        return self._nameless
