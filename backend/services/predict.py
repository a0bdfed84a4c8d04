"""Answer Label Studio's /predict: stored predictions first, the missing ones computed in time."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.domain.answers import ImageRef
from backend.domain.errors import AutolabelError, Stopped
from backend.domain.ids import ProjectId
from backend.domain.json import Json
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.label_studio import codec, labeling_config
from backend.label_studio.inline_images import without_content
from backend.policies import preconditions
from backend.ports.images import FeatureExtractor
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
    extractor: Callable[[], FeatureExtractor]
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

        extractor = self.extractor()
        images, unreadable = task_images.extract(extractor, schema, refs, in_time, version.backbone)
        predicted, gone = Predictor(extractor).predict(schema, models, images, in_time)
        for slot in (*unreadable, *gone):
            log.info("task %s: no prediction: %s", slot.task, slot.reason)
        rows = range(len(predicted.images))
        predictions = [predicted.prediction(row, version.name) for row in rows]
        return {prediction.image: codec.serialize(prediction, schema) for prediction in predictions}
