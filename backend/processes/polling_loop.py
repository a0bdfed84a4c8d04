"""Look at every connected project in turn, for a Label Studio that cannot call the backend."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from backend.domain.errors import AutolabelError, NotFound
from backend.domain.ids import ProjectId
from backend.ports.stores import PolledProjects
from backend.processes.periodic import periodically
from backend.services.polling import Polling

log = logging.getLogger(__name__)


class PollingLoop:
    """Runs in a thread of the web process. What fails in one project leaves the others alone."""

    def __init__(self, polling: Polling, projects: PolledProjects, seconds: float) -> None:
        self._polling = polling
        self._projects = projects
        self._seconds = seconds
        self._warned: dict[ProjectId, str] = {}

    @contextmanager
    def running(self) -> Generator[None]:
        """Look while the block runs; not at all if the interval is 0."""
        if not self._seconds:
            yield
            return
        log.info("looking for new annotations every %g s", self._seconds)
        with periodically(self.look_safely, self._seconds, "polling"):
            yield

    def look_safely(self) -> None:
        """Look at all projects, and log whatever fails outside of a single one."""
        try:
            for project in self._projects.all():
                self._look_at(project)
        except Exception:
            log.exception("cannot look for new annotations; trying again in %s s", self._seconds)

    def _look_at(self, project: ProjectId) -> None:
        try:
            self._polling.look(project)
        except NotFound as exc:
            log.warning("project %s is looked at no more: %s", project, exc)
            self._projects.disconnect(project)
        except AutolabelError as exc:
            if self._warned.get(project) != str(exc):
                log.warning("project %s cannot be looked at: %s", project, exc)
            self._warned[project] = str(exc)
        except Exception:
            log.exception("project %s cannot be looked at", project)
        else:
            self._warned.pop(project, None)
