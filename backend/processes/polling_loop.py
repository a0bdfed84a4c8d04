"""Look at every connected project in turn, every so many seconds."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from backend.domain.errors import AutolabelError, NotFound
from backend.domain.ids import ProjectId
from backend.ports.stores import PolledProjects
from backend.processes.periodic import periodically

log = logging.getLogger(__name__)


class LooksAtProjects(Protocol):
    """What is done at each look at a project."""

    def look(self, project: ProjectId) -> None: ...


class PollingLoop:
    """Runs in a thread of the web process. What fails in one project leaves the others alone.

    `aim` is what it looks for, as the log says it. With `disconnects`, a project that Label Studio
    does not have any more is disconnected.
    """

    def __init__(
        self,
        polling: LooksAtProjects,
        projects: PolledProjects,
        seconds: float,
        aim: str = "new annotations",
        *,
        disconnects: bool = True,
    ) -> None:
        self._polling = polling
        self._aim = aim
        self._disconnects = disconnects
        self._projects = projects
        self._seconds = seconds
        self._warned: dict[ProjectId, str] = {}

    @contextmanager
    def running(self) -> Generator[None]:
        """Look while the block runs; not at all if the interval is 0."""
        if not self._seconds:
            yield
            return
        log.info("looking for %s every %g s", self._aim, self._seconds)
        with periodically(self.look_safely, self._seconds, f"looking for {self._aim}"):
            yield

    def look_safely(self) -> None:
        """Look at all projects, and log whatever fails outside of a single one."""
        try:
            for project in self._projects.all():
                self._look_at(project)
        except Exception:
            log.exception("cannot look for %s; trying again in %s s", self._aim, self._seconds)

    def _look_at(self, project: ProjectId) -> None:
        try:
            self._polling.look(project)
        except AutolabelError as exc:
            if isinstance(exc, NotFound) and self._disconnects:
                log.warning("project %s is looked at no more: %s", project, exc)
                self._projects.disconnect(project)
            elif self._warned.get(project) != str(exc):
                log.warning("project %s cannot be looked at: %s", project, exc)
            self._warned[project] = str(exc)
        except Exception:
            log.exception("project %s cannot be looked at", project)
        else:
            self._warned.pop(project, None)
