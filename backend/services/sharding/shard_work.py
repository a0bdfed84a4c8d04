"""Do shards of a job that another worker runs."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from backend.domain.answers import ImageRef
from backend.domain.batches import IMAGE_STATS, ImageBatch
from backend.domain.errors import NotFound, QueueUnreachable, Stopped, UnreadableImage
from backend.domain.ids import ControlName, JobId, ProjectId, VersionName
from backend.domain.shards import PredictingModel, Shard
from backend.domain.steps import Step
from backend.label_studio import labeling_config
from backend.ports.images import FeatureExtractor
from backend.ports.label_studio import ProjectReader
from backend.ports.model_family import Model
from backend.ports.progress import Progress
from backend.ports.shards import Shards
from backend.ports.stores import Versions
from backend.ports.unfinished import UnfinishedJobs
from backend.services.training.train import Trainer

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Images in one call, so that the features of a shard are not all held in memory."""

ASK_EVERY = 1.0
"""Seconds between two questions whether a shard is still wanted."""


@dataclass(frozen=True, slots=True)
class ShardWork:
    """Embeds or predicts the images of a shard. An image that cannot be read costs only itself.

    What was loaded for one shard, encoder or model, serves the next.
    """

    label_studio: ProjectReader
    extractor: FeatureExtractor
    trainer: Callable[[], Trainer]
    versions: Versions
    unfinished: UnfinishedJobs
    _models: dict[PredictingModel, Model] = field(default_factory=dict[PredictingModel, Model])

    def __call__(self, shard: Shard, progress: Progress) -> None:
        """Do the shard.

        Raises:
            Stopped: from `progress`, when the job was stopped or has ended.
            NotFound: when the model is gone, or the control is none of the project.
        """
        if shard.model:
            self._predict(shard, shard.model, progress)
            return
        for start in range(0, len(shard.refs), AT_ONCE):
            self.extractor.extract(shard.refs[start : start + AT_ONCE], progress, shard.backbone)

    def _predict(self, shard: Shard, wanted: PredictingModel, progress: Progress) -> None:
        if wanted not in self._models:
            self._models[wanted] = self._model(shard.project, wanted)
        model = self._models[wanted]
        refs = [ref for ref in shard.refs if self._is_readable(ref)]
        for start in range(0, len(refs), AT_ONCE):
            some = tuple(refs[start : start + AT_ONCE])
            made = model.predict(bare(some), self.extractor.fetch, progress)
            kept = self.unfinished.work(shard.project, wanted.key)
            kept.keep_predictions(wanted.version, wanted.control, some, made)

    def _model(self, project: ProjectId, wanted: PredictingModel) -> Model:
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        trainer = self.trainer()
        if wanted.version:
            version = self.versions.get(project, VersionName(wanted.version))
            models: Mapping[ControlName, Model] = trainer.load(schema, version, self.versions)
            if wanted.control in models:
                return models[wanted.control]
        control = schema.control(wanted.control)
        if control is None or wanted.version:
            raise NotFound(f"project {project} has no control '{wanted.control}' any more")
        folder = self.unfinished.work(project, wanted.key).model(wanted.control)
        return trainer.families[control.kind].load(folder, control)

    def _is_readable(self, ref: ImageRef) -> bool:
        try:
            self.extractor.fetch(ref)
        except UnreadableImage:
            return False
        return True


def bare(refs: tuple[ImageRef, ...]) -> ImageBatch:
    """Return images without features, which detectors do not use."""
    count = len(refs)
    stats = np.zeros((count, len(IMAGE_STATS)), np.float32)
    return ImageBatch(refs, np.zeros((count, 0), np.float16), stats)


def take_shards(
    shards: Shards,
    work: Callable[[Shard, Progress], None],
    project: ProjectId,
    job: JobId,
    must_stop: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Do one shard of a job after the other, until none is left or `must_stop`.

    Raises what the work raises, except Stopped; the job of the shard does what is missing.
    """
    while shard := shards.take(project, job):
        try:
            work(shard, heartbeat(partial(shards.is_wanted, shard), clock))
        except Stopped:
            log.info("job %s withdrew its shard %s", job, shard.number)
        finally:
            shards.finish(shard)
        if must_stop():
            return


def heartbeat(
    is_wanted: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> Progress:
    """Return a `Progress` that asks every second whether the work is still wanted.

    It raises Stopped when it is not, and goes on while nobody answers.
    """
    asked = float("-inf")

    def progress(_step: Step, _done: int, _of: int, _detail: str = "") -> None:
        nonlocal asked
        if clock() - asked < ASK_EVERY:
            return
        asked = clock()
        with suppress(QueueUnreachable):
            if not is_wanted():
                raise Stopped

    return progress
