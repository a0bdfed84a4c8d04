"""Divide the large steps of a job among the workers of the installation.

Shards only prepare: embedding fills the feature cache, predicting the kept predictions of the job.
Afterwards the job does the step as always, and finds done what others did. So a shard may be lost,
done twice or be wrong about what is missing, and the result is the same.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import ImageRef
from backend.domain.errors import QueueUnreachable
from backend.domain.jobs import Job
from backend.domain.shards import PredictingModel, Shard
from backend.domain.steps import Step
from backend.policies import sharding
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress
from backend.ports.shards import Shards

log = logging.getLogger(__name__)

SAMPLE = 48
"""Images that are looked up in the feature cache, to estimate how many are new."""

OPENING, MEASURED = 8, 24
"""Images with which the model is opened, and by which the pace is measured then."""

LOOK_EVERY = 0.2
"""Seconds between two looks at the shards of others."""

Work = Callable[[Sequence[ImageRef], Progress], object]


@dataclass(frozen=True, slots=True)
class Crew:
    """Divides the steps of jobs that would take one worker at least `least` seconds.

    Others are asked at once, since each needs seconds to start. If the pace then turns out to be so
    quick that one worker is enough, the shards are withdrawn.
    """

    shards: Shards
    extractor: FeatureExtractor
    least: float
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def embed(self, job: Job, refs: Sequence[ImageRef], backbone: str, progress: Progress) -> None:
        """Fill the feature cache if others can help.

        Raises:
            Stopped: from `progress`; the shards of others are withdrawn.
        """
        if not self._may_pay(len(refs)):
            return
        sample = refs[:: len(refs) // SAMPLE]
        new = len(refs) * self.extractor.uncached(sample, backbone) // len(sample)
        if self._may_pay(new):
            whole = Shard(job.request.project, job.id, 0, tuple(refs), backbone)
            self._divide(
                whole, lambda some, shown: self.extractor.extract(some, shown, backbone), progress
            )

    def predict(
        self,
        job: Job,
        refs: Sequence[ImageRef],
        model: PredictingModel,
        work: Work,
        progress: Progress,
    ) -> None:
        """Do `work`, which keeps predictions of these images, if others can help.

        Raises:
            Stopped: from `progress`; the shards of others are withdrawn.
        """
        if self._may_pay(len(refs)):
            whole = Shard(job.request.project, job.id, 0, tuple(refs), model=model)
            self._divide(whole, work, progress)

    def _may_pay(self, images: int) -> bool:
        if not sharding.may_pay(images, self.least, helpers=1):
            return False
        return sharding.may_pay(images, self.least, self.shards.helpers())

    def _divide(self, whole: Shard, work: Work, progress: Progress) -> None:
        """Do the work with others if that pays; the rest of it may be left."""
        parts = sharding.divide(whole.refs, self.shards.helpers() + 1)
        shards = [replace(whole, number=at, refs=tuple(part)) for at, part in enumerate(parts)]
        log.info("job %s: %s tasks in %s shards", whole.job, len(whole.refs), len(shards))
        try:
            self.shards.offer(shards)
            self._together(shards, work, progress)
        except QueueUnreachable as exc:
            log.warning("job %s goes on without other workers: %s", whole.job, exc)
        finally:
            self.shards.withdraw(whole.project, whole.job)

    def _together(self, shards: Sequence[Shard], work: Work, progress: Progress) -> None:
        """Take one shard after the other, as the other workers do, and wait for theirs."""
        whole, total = shards[0], sum(len(shard.refs) for shard in shards)
        measured = False
        while shard := self.shards.take(whole.project, whole.job):
            shown = _within(progress, sum(len(one.refs) for one in shards[: shard.number]), total)
            left = shard.refs
            if not measured:
                measured, left = True, left[OPENING + MEASURED :]
                pace = self._pace(shard.refs[: OPENING + MEASURED], work, shown)
                if not sharding.pays(total, pace, self.least):
                    return
            if left:
                work(left, shown)
            self.shards.finish(shard)
        while self.shards.running(whole.job):
            progress(whole.step, total, total, "waiting for other workers")
            self.pause(LOOK_EVERY)

    def _pace(self, refs: Sequence[ImageRef], work: Work, shown: Progress) -> float:
        """Return the seconds for an image, once the model is open."""
        work(refs[:OPENING], shown)
        begun = self.clock()
        work(refs[OPENING:], shown)
        return (self.clock() - begun) / len(refs[OPENING:])


def _within(progress: Progress, before: int, of: int) -> Progress:
    """Report the progress of a part as that of the whole."""

    def report(step: Step, done: int, _of: int, detail: str = "") -> None:
        progress(step, min(of, before + done), of, detail)

    return report
