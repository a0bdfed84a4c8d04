"""Label with a chosen model version. Trains nothing; safe to repeat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend import schema as labeling_config
from backend.domain import UNTRAINED, Job, JobRequest, LabelSchema, ModelVersion
from backend.errors import Refused
from backend.policies import preconditions
from backend.ports import Gallery, LabelStudio, Progress, Versions
from backend.services import census, report
from backend.services.census import Census
from backend.services.hard_examples import HardExamples
from backend.services.labeling import Delivery, Guessing
from backend.services.learning import Learning
from backend.services.looking import look
from backend.services.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class PreLabel:
    """The pre-labeling job."""

    label_studio: LabelStudio
    gallery: Gallery
    learning: Learning
    guessing: Guessing
    hard_examples: HardExamples
    delivery: Delivery
    versions: Versions

    def __call__(self, job: Job, progress: Progress) -> Mapping[str, Any]:
        """Run the job; returns the content of `report.json`.

        Raises:
            Refused: when the version's kinds or labels are not those of the project.
            NotFound: when there is no such version.
        """
        request, watch = job.request, Stopwatch()
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        version = self._version(request, schema)
        with watch("list"):
            people = self._waiting(request, version, schema, progress)
        material, unreadable = look(self.gallery, schema, people, progress)
        with watch("predict"):
            models = self.learning.load(schema, version, self.versions)
            guessed, gone = self.guessing.guess(models, material.unlabeled, progress)
            hard = self.hard_examples.find(material, guessed)
        with watch("push"):
            delivered = self.delivery.deliver(
                request.project, schema, version.name, guessed, hard, progress
            )
            current = self.versions.current(request.project)
            self.delivery.show(request.project, version.name, also=current)
        return report.content(
            job,
            version,
            material=material,
            guessed=guessed,
            hard=hard,
            delivered=delivered,
            unreadable=(*unreadable, *gone),
            seconds={**watch.seconds, **self.gallery.timings()},
            notes={},
        )

    def _version(self, request: JobRequest, schema: LabelSchema) -> ModelVersion:
        version = self.versions.get(request.project, request.model_version or UNTRAINED)
        if unfit := preconditions.model_fits(schema, version):
            raise Refused(unfit)
        return version

    def _waiting(
        self, request: JobRequest, version: ModelVersion, schema: LabelSchema, progress: Progress
    ) -> Census:
        """The unlabeled tasks without a prediction of this version: a repeat sends none twice."""
        people = census.take(self.label_studio, request.project, schema, progress)
        if request.task_ids:
            people = people.only(request.task_ids)
        return people.without(self.label_studio.predicted(request.project, version.name))
