"""Answer Label Studio's /predict: stored predictions first, the missing ones computed in time."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ProjectPredictions
from backend.domain.errors import AutolabelError, Stopped, UnreadableImage
from backend.domain.ids import ProjectId
from backend.domain.json import Json
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.label_studio import codec, labeling_config
from backend.label_studio.inline_images import without_content
from backend.policies import preconditions
from backend.ports.images import PredictingExtractor
from backend.ports.progress import Progress
from backend.ports.stores import Ledgers, StoredPredictions, Versions
from backend.services import task_images
from backend.services.prediction.inference import Predictor
from backend.services.training.model_cache import ModelCache
from backend.services.training.train import Models

log = logging.getLogger(__name__)

BATCH = 64
"""Images computed between two checks of the deadline."""


@dataclass(frozen=True, slots=True)
class Predict:
    """Predictions for tasks that Label Studio asks about, one element a task, in order.

    Images of an open audit get none: people label them without seeing a prediction.
    `seconds` bounds the computing: Label Studio gives up after 100 s, gateways before it. What
    does not fit gets no prediction now and is asked for again when the task is opened.
    """

    versions: Versions
    ledgers: Ledgers
    stored: StoredPredictions
    model_cache: ModelCache
    extractor: Callable[[], PredictingExtractor]
    seconds: float
    clock: Callable[[], float] = field(default=time.monotonic)

    def __call__(
        self, project: ProjectId, label_config: str, tasks: Sequence[Mapping[str, Any]]
    ) -> list[Json | list[Any]]:
        version = self.versions.current(project)
        if version is None:
            return [[] for _ in tasks]
        schema = labeling_config.parse(label_config)
        asked_refs = [codec.asked_ref(task, schema) for task in tasks]
        refs = [without_content(ref, project) if ref else None for ref in asked_refs]
        withheld = self.ledgers.load(project).withheld
        asked = [ref for ref in dict.fromkeys(refs) if ref and ref.task not in withheld]
        stored = self.stored.get(project, version.name, asked)
        known = {ref: one for ref, one in stored.items() if codec.fits(one, schema)}
        missing = [ref for ref in asked if ref not in known]
        if missing and not preconditions.model_fits(schema, version, new_labels=True):
            known |= self._computed(schema, version, missing)
        withheld = self.ledgers.load(project).withheld  # an audit may have been drawn meanwhile
        return [known.get(ref, []) if ref and ref.task not in withheld else [] for ref in refs]

    def _computed(
        self, schema: LabelSchema, version: ModelVersion, refs: Sequence[ImageRef]
    ) -> dict[ImageRef, Json]:
        """Compute predictions now; leave out those that fail or take too long."""
        deadline = self.clock() + self.seconds
        found: dict[ImageRef, Json] = {}
        try:
            models = self.model_cache.models(schema, version, self.seconds)
            for start in range(0, len(refs), BATCH):
                batch = self._batch(schema, version, models, refs[start : start + BATCH], deadline)
                self.stored.put(version.project, version.name, batch)
                found |= batch
        except Stopped:
            left = len(refs) - len(found)
            log.info("project %s: %s predictions left for later", version.project, left)
        except AutolabelError as exc:
            log.warning("project %s: cannot predict: %s", version.project, exc)
        return found

    def _batch(
        self,
        schema: LabelSchema,
        version: ModelVersion,
        models: Models,
        refs: Sequence[ImageRef],
        deadline: float,
    ) -> dict[ImageRef, Json]:
        def in_time(_step: Step, _done: int, _of: int, _detail: str = "") -> None:
            if self.clock() > deadline:
                raise Stopped

        predicted, gone = self._predicted(schema, models, refs, version.backbone, in_time)
        for slot in gone:
            log.info("task %s: no prediction: %s", slot.task, slot.reason)
        rows = range(len(predicted.images))
        predictions = [predicted.prediction(row, version.name) for row in rows]
        return {prediction.image: codec.serialize(prediction, schema) for prediction in predictions}

    def _predicted(
        self,
        schema: LabelSchema,
        models: Models,
        refs: Sequence[ImageRef],
        backbone: str,
        progress: Progress,
    ) -> tuple[ProjectPredictions, Sequence[NoPrediction]]:
        """Predict images, embedded only where a model other than of rectangles looks at them.

        If an image turns out to be damaged, all are embedded, which says what each one lacks.
        """
        extractor = self.extractor()
        predictor = Predictor(extractor)
        if _need_no_features(schema, models):
            with suppress(UnreadableImage):
                images, unreadable = task_images.without_features(extractor, schema, refs, progress)
                predicted, gone = predictor.predict(schema, models, images, progress)
                return predicted, (*unreadable, *gone)
        images, unreadable = task_images.extract(extractor, schema, refs, progress, backbone)
        predicted, gone = predictor.predict(schema, models, images, progress)
        return predicted, (*unreadable, *gone)


def _need_no_features(schema: LabelSchema, models: Models) -> bool:
    kinds = {control.kind for control in schema.controls if control.name in models}
    return kinds == {TaskKind.DETECTION}
