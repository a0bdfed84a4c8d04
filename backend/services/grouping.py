"""Auto grouping: unlabeled images that look alike, shown together so that people label many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backend.domain.jobs import Job
from backend.label_studio import labeling_config
from backend.policies.grouping import group
from backend.ports.images import ReportedExtractor
from backend.ports.label_studio import GroupEditor, ProjectContents
from backend.ports.progress import Progress
from backend.services import project_tasks
from backend.services.reporting import report
from backend.services.reporting.stopwatch import Stopwatch


class GroupedProject(ProjectContents, GroupEditor, Protocol):
    """A project whose tasks are read, and shown in groups."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """The grouping job; it learns nothing and touches no prediction of a model."""

    label_studio: GroupedProject
    extractor: ReportedExtractor
    seed: int

    def __call__(self, job: Job, progress: Progress) -> Mapping[str, Any]:
        """Run the job; returns the content of `report.json`."""
        request, watch = job.request, Stopwatch()
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        with watch("list"):
            everyone = project_tasks.take(self.label_studio, request.project, schema, progress)
            people = everyone.only(request.task_ids) if request.task_ids else everyone
        images, unreadable = self.extractor.extract(people.unlabeled, progress)
        groups = group(images, request.groups, np.random.default_rng(self.seed))
        with watch("push"):
            progress("push", 0, 1)
            names = self.label_studio.show_groups(
                request.project, [group.tasks for group in groups]
            )
        return {
            **report.of_looking(
                job,
                self.extractor,
                reason=f"{len(images)} images in {len(groups)} groups",
                people=everyone,
                unreadable=unreadable,
                seconds=watch.seconds,
            ),
            "groups": [
                {"name": name, "images": len(group.tasks)}
                for name, group in zip(names, groups, strict=True)
            ],
        }
