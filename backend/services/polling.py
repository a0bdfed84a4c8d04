"""Look for new annotations and tasks, for a Label Studio that cannot call the backend.

What is found counts like a webhook, so that trainings, predictions, tabs, audits and acceptance
work the same. New tasks, for which Label Studio would ask `/predict`, get a pre-labeling job.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backend.domain.errors import Refused
from backend.domain.ids import ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest, Mode
from backend.domain.projects import LastLook, ProjectActivity
from backend.policies import polling
from backend.ports.jobs import AnnotationChanges, Jobs
from backend.ports.label_studio import ActivityReader
from backend.ports.stores import PolledProjects, PublishedVersions
from backend.services.webhook_log import WebhookLog

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Polling:
    """Looks at one project at a time; `start` submits a job or joins the live one."""

    label_studio: ActivityReader
    polled: PolledProjects
    changes: AnnotationChanges
    versions: PublishedVersions
    jobs: Jobs
    webhooks: WebhookLog
    start: Callable[[JobRequest], tuple[Job, bool]]
    _heard: dict[ProjectId, int] = field(default_factory=dict[ProjectId, int])

    def look(self, project: ProjectId) -> None:
        """Count what changed since the last look, and have new tasks predicted.

        Raises:
            AutolabelError: when Label Studio does not answer, or has no such project any more.
        """
        was_busy = self._is_busy(project)
        activity = self.label_studio.activity(project)
        current = self.versions.current(project)
        version = current.name if current else None
        is_busy = was_busy or self._is_busy(project)
        last = self.polled.last_look(project) or _first(activity, version)
        changed = polling.changed_annotations(last, activity)
        if changed and not self._has_heard(project):
            self.changes.changed(project, changed)
            log.info("project %s: %s changed annotations found", project, changed)
        look = polling.looked(last, activity, version, is_busy=is_busy)
        if polling.has_new_tasks(last, activity, version) and not is_busy:
            look = self._predict(project, look)
        self.polled.remember(project, look)

    def _has_heard(self, project: ProjectId) -> bool:
        """Whether webhooks arrived since the last look: they have counted the changes already."""
        heard = self.webhooks.heard(project)
        known, self._heard[project] = self._heard.get(project, 0), heard
        return heard > known

    def _is_busy(self, project: ProjectId) -> bool:
        return self.jobs.live(project) is not None

    def _predict(self, project: ProjectId, look: LastLook) -> LastLook:
        """Start a job that predicts the tasks without a prediction."""
        request = JobRequest(project, Mode.PRE_LABELING, model_version=look.version)
        try:
            job, _ = self.start(request)
            log.info("project %s: job %s predicts new tasks", project, job.id)
        except Refused as exc:
            log.info("project %s: new tasks are not predicted: %s", project, exc)
        return replace(look, served=look.tasks)


def _first(activity: ProjectActivity, version: VersionName | None) -> LastLook:
    """Return the base of the first comparison: a trained model knows what is there already."""
    if version is None:
        return LastLook()
    known = LastLook(tasks_when_idle=activity.tasks)
    return polling.looked(known, activity, version, is_busy=False)
