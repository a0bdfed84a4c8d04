"""One active-learning round: learn from what people labeled, label the rest, show the hard ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend import schema as labeling_config
from backend.cards import control_folder
from backend.domain import (
    ControlName,
    Job,
    JobRequest,
    LabelSchema,
    ModelVersion,
    ProjectId,
    VersionName,
)
from backend.errors import Refused
from backend.policies import preconditions
from backend.ports import Gallery, LabelStudio, Progress, Versions
from backend.services import census, report
from backend.services.census import Census
from backend.services.hard_examples import HardExamples
from backend.services.labeling import Delivery, Guessing
from backend.services.learning import Learned, Learning, Material
from backend.services.looking import look
from backend.services.stopwatch import Stopwatch
from backend.settings import Settings


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AutoLabel:
    """The active-learning job."""

    label_studio: LabelStudio
    gallery: Gallery
    learning: Learning
    guessing: Guessing
    hard_examples: HardExamples
    delivery: Delivery
    versions: Versions
    settings: Settings
    packages: Mapping[str, str]
    now: Callable[[], datetime] = field(default=_now)

    def __call__(self, job: Job, progress: Progress) -> Mapping[str, Any]:
        """Run the job; returns the content of `report.json`.

        Raises:
            Refused: when the preconditions do not hold any more.
        """
        request, watch = job.request, Stopwatch()
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        with watch("list"):
            people = self._census(request, schema, progress)
        material, unreadable = look(self.gallery, schema, people, progress)
        with watch("train"):
            previous = self._previous(request.project)
            learned = self.learning.learn(material, request.algorithm, previous, progress)
        version = self._publish(request, schema, material, learned)
        with watch("predict"):
            guessed, gone = self.guessing.guess(learned.models, material.unlabeled, progress)
            hard = self.hard_examples.find(material, guessed)
        with watch("push"):
            delivered = self.delivery.deliver(
                request.project, schema, version.name, guessed, hard, progress
            )
            self.versions.activate(request.project, version.name)
            self.delivery.show(request.project, version.name)
            self.versions.prune(request.project, self.settings.keep_versions)
        return report.content(
            job,
            version,
            material=material,
            guessed=guessed,
            hard=hard,
            delivered=delivered,
            unreadable=(*unreadable, *gone),
            seconds={**watch.seconds, **self.gallery.timings()},
            notes={name: model.notes for name, model in learned.models.items()},
        )

    def _census(self, request: JobRequest, schema: LabelSchema, progress: Progress) -> Census:
        people = census.take(self.label_studio, request.project, schema, progress)
        counts = census.count(schema, people.labeled)
        ready = preconditions.check(
            schema,
            counts,
            len(people.labeled),
            len(people.unlabeled),
            self.settings.min_labels,
            self.settings.min_images_per_label,
        )
        if ready.reasons:
            raise Refused(ready.reasons)
        return people.only(request.task_ids) if request.task_ids else people

    def _previous(self, project: ProjectId) -> Callable[[ControlName], Path | None]:
        current = self.versions.current(project)

        def folder(control: ControlName) -> Path | None:
            if current is None or control not in current.kinds:
                return None
            return self.versions.folder(project, current.name, control)

        return folder

    def _publish(
        self, request: JobRequest, schema: LabelSchema, material: Material, learned: Learned
    ) -> ModelVersion:
        parent = self.versions.current(request.project)

        def card(name: VersionName) -> ModelVersion:
            controls = [control for control in schema.controls if control.name in learned.models]
            return ModelVersion(
                name=name,
                project=request.project,
                kinds={control.name: control.kind for control in controls},
                labels={control.name: control.labels for control in controls},
                metrics=report.metrics(learned.models),
                trained_on=report.trained_on(schema, material, learned.held_out),
                parent=parent.name if parent else None,
                created=self.now(),
                backbone=self.gallery.backbone,
                device=self.gallery.device,
                packages=self.packages,
            )

        def write(folder: Path) -> None:
            for name, model in learned.models.items():
                own = control_folder(folder, name)
                own.mkdir()
                model.save(own)

        return self.versions.publish(request.project, card, write)
