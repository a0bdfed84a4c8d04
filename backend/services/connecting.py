"""Connect projects to this backend, also where Label Studio may not call it."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from backend.domain.errors import AutolabelError, BadInput
from backend.domain.ids import ProjectId, VersionName
from backend.domain.projects import BackendLink, Project
from backend.policies import switches
from backend.ports.jobs import IdleWork, Jobs
from backend.ports.label_studio import BackendRegistry, ProjectReader, TabEditor
from backend.ports.stores import FirstWalls, PolledProjects, ProjectOrigins

log = logging.getLogger(__name__)

POLLING_HINT = (
    "Where Label Studio cannot call the backend, set AUTOLABEL_POLL_SECONDS=30 and restart it: it"
    " then looks for new annotations itself"
)


class TabbedProjects(ProjectReader, BackendRegistry, TabEditor, Protocol):
    """Projects that can be connected and shown in tabs."""


@dataclass(frozen=True, slots=True)
class Connecting:
    """Implements `backend.ports.application.ConnectableProjects`."""

    label_studio: TabbedProjects
    origins: ProjectOrigins
    jobs: Jobs
    polled: PolledProjects
    walls: FirstWalls
    idle_work: IdleWork
    poll_seconds: float
    public_url: str

    def project(self, project: ProjectId) -> Project:
        return self.label_studio.project(project)

    def projects(self) -> Sequence[Project]:
        return self.label_studio.projects()

    def connect(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        """Register this backend; one that Label Studio refuses to call makes the tabs only.

        An idle worker then shows what to label first.

        Raises:
            BadInput: when Label Studio refuses it and the backend does not poll.
        """
        done = self._register(project, backend_url, user, password)
        self.walls.want(project)
        self.idle_work.request(project)
        return done

    def _register(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        found = self.label_studio.project(project)
        if self.jobs.live(project) is None:
            self.origins.claim(found)
        self.polled.connect(project)
        try:
            return self.label_studio.connect(project, backend_url, user, password)
        except BadInput as exc:
            if not self.poll_seconds:
                raise BadInput(exc.message, f"{exc.hint}. {POLLING_HINT}".lstrip(". ")) from exc
            self.label_studio.refresh_tabs(project)
            return (
                f"tabs made; {exc.message}, so the backend looks for new annotations itself every"
                f" {self.poll_seconds:g} s"
            )

    def link(self, project: ProjectId, backend_url: str) -> BackendLink:
        return self.label_studio.link(project, backend_url)

    def warnings(
        self,
        project: Project,
        current: VersionName | None,
        same: Collection[VersionName] = (),
    ) -> Sequence[str]:
        try:
            link = self.link(project.id, self.public_url)
        except AutolabelError as exc:
            log.info("project %s: its connection is not checked: %s", project.id, exc)
            link = BackendLink()
        if self.poll_seconds:
            link = replace(link, webhook=None, payload=None, unreported=())
        shown = switches.shown_wrongly(project, current, same)
        return (*shown, *switches.switched_off(project, link))

    def disconnect(self, project: ProjectId, backend_url: str) -> None:
        self.label_studio.disconnect(project, backend_url)
        self.polled.disconnect(project)
