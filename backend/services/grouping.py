"""Auto grouping: show similar unlabeled images together, so that many are labeled at a time."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backend.domain.jobs import Job, JobResult
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.label_studio import labeling_config
from backend.policies.grouping import group
from backend.ports.images import ReportedExtractor
from backend.ports.label_studio import GroupEditor, ProjectContents, TabEditor
from backend.ports.progress import Steps
from backend.ports.stores import Ledgers
from backend.services import project_tasks
from backend.services.reporting import sections


class GroupedProject(ProjectContents, GroupEditor, TabEditor, Protocol):
    """A project whose tasks are read, and shown in groups."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """The grouping job; it trains nothing and changes no prediction of a model."""

    label_studio: GroupedProject
    extractor: ReportedExtractor
    ledgers: Ledgers
    seed: int

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job."""
        request, progress = job.request, steps.progress
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        with steps(Step.LIST):
            everyone = project_tasks.take(self.label_studio, request.project, schema, progress)
            people = everyone.only(request.task_ids) if request.task_ids else everyone
            # people would label an image of the audit sample as the others of its group
            people = people.without(self.ledgers.load(request.project).withheld)
        images, unreadable = self.extractor.extract(people.unlabeled, progress)
        groups = group(images, request.groups, np.random.default_rng(self.seed))
        with steps(Step.PUSH):
            # Label Studio orders groups by all marks of a task, those of lists too
            self.label_studio.list_in_tab(request.project, TabTitle.NEXT_PICKS, ())
            names = self.label_studio.show_groups(
                request.project, [group.tasks for group in groups]
            )
        return sections.of_selection_job(
            self.extractor,
            reason=f"{len(images)} {schema.items.plural} in {len(groups)} groups",
            tasks=everyone,
            items=schema.items.plural,
            unreadable=unreadable,
            spent=steps.seconds,
            groups=[
                {"name": name, "images": len(group.tasks)}
                for name, group in zip(names, groups, strict=True)
            ],
        )
