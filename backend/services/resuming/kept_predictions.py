"""Predictions that are kept part by part, so that a job that breaks off loses one part at most."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.domain.answers import ImageRef
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import ControlName
from backend.domain.jobs import Job
from backend.domain.schema import Control, TaskKind
from backend.domain.shards import PredictingModel
from backend.domain.steps import Step
from backend.ports.images import Fetch
from backend.ports.model_family import Model
from backend.ports.progress import Progress
from backend.ports.unfinished import KeptWork
from backend.services.resuming.parts import parts_of, share
from backend.services.sharding.crew import Crew


@dataclass(frozen=True, slots=True)
class KeptPredictions:
    """Predicts with one model, and keeps each part.

    `model` names the version, and is empty for the one that is being trained. With a `crew`, other
    workers help the `job` with rectangles.
    """

    kept: KeptWork
    model: str = ""
    crew: Crew | None = None
    job: Job | None = None
    _own: set[ControlName] = field(default_factory=set[ControlName])

    def predict(
        self,
        control: Control,
        model: Model,
        images: ImageBatch,
        fetch: Fetch,
        progress: Progress,
    ) -> PredictionBatch:
        """Return one row per image, in order. Raises UnreadableImage, OutOfSpace."""
        if not len(images):
            return model.predict(images, fetch, progress)
        known, found = self.kept.predictions(self.model, control.name, images.refs)
        if known and control.name not in self._own:
            self.kept.reuse(Step.PREDICT)
        self._own.add(control.name)
        if self.crew and self.job and control.kind is TaskKind.DETECTION:
            self._divide(self.crew, self.job, control, model, images, fetch, progress)
            known, found = self.kept.predictions(self.model, control.name, images.refs)
        rows, parts = list(known), [found] if found else []
        is_known = set(known)
        missing = [row for row in range(len(images)) if row not in is_known]
        for part in parts_of(control, missing):
            some = images.take(part)
            here = share(progress, len(rows), len(images))
            made = model.predict(some, fetch, here)
            self.kept.keep_predictions(self.model, control.name, some.refs, made)
            rows += part
            parts.append(made)
        (first, *rest) = parts
        return first.joined(*rest).take([int(row) for row in np.argsort(rows, kind="stable")])

    def _divide(
        self,
        crew: Crew,
        job: Job,
        control: Control,
        model: Model,
        images: ImageBatch,
        fetch: Fetch,
        progress: Progress,
    ) -> None:
        """Keep predictions of what is missing, together with other workers if that pays."""
        known = set(self.kept.predictions(self.model, control.name, images.refs)[0])
        missing = {ref: row for row, ref in enumerate(images.refs) if row not in known}

        def work(refs: Sequence[ImageRef], shown: Progress) -> None:
            some = images.take([missing[ref] for ref in refs])
            made = model.predict(some, fetch, shown)
            self.kept.keep_predictions(self.model, control.name, some.refs, made)

        wanted = PredictingModel(control.name, self.kept.key, self.model)
        crew.predict(job, list(missing), wanted, work, progress)
