"""Divide the large steps of a job among the workers of the installation.

Shards only prepare: embedding fills the feature cache, predicting the kept predictions of the job.
Afterwards the job does the step as always, and finds done what others did. So a shard may be lost,
done twice or be wrong about what is missing, and the result is the same.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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

PROBE = 200
"""Images by which the pace is measured: known ones take no time worth dividing."""

LOOK_EVERY = 0.5
"""Seconds between two looks at the shards of others."""

Work = Callable[[Sequence[ImageRef], Progress], object]


@dataclass(frozen=True, slots=True)
class Crew:
    """Divides the steps of jobs that would take one worker at least `least` seconds."""

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

        def work(some: Sequence[ImageRef], shown: Progress) -> object:
            return self.extractor.extract(some, shown, backbone)

        self.divide(job, refs, Step.EMBED, work, progress, backbone=backbone)

    def divide(
        self,
        job: Job,
        refs: Sequence[ImageRef],
        step: Step,
        work: Work,
        progress: Progress,
        *,
        backbone: str = "",
        model: PredictingModel | None = None,
    ) -> None:
        """Do `work` on these images, with others if that pays; the rest of it may be left."""
        helpers = self.shards.helpers() if len(refs) > PROBE else 0
        if not helpers:
            return
        shown = _within(progress, step, 0, len(refs))
        probe, left = _sample(refs)
        seconds = self._seconds(lambda: work(probe, shown))
        if not sharding.pays(len(left), seconds / len(probe), self.least, helpers):
            return
        parts = sharding.divide(left, helpers + 1)
        shards = [
            Shard(job.request.project, job.id, number, tuple(part), backbone, model)
            for number, part in enumerate(parts)
        ]
        log.info("job %s: %s tasks in %s shards", job.id, len(left), len(shards))
        try:
            self._together(shards, step, work, progress)
        except QueueUnreachable as exc:
            log.warning("job %s goes on without other workers: %s", job.id, exc)
        finally:
            self.shards.withdraw(job.request.project, job.id)

    def _together(
        self, shards: Sequence[Shard], step: Step, work: Work, progress: Progress
    ) -> None:
        """Take shards from the end, while others take them from the beginning."""
        self.shards.offer(shards)
        job, total = shards[0].job, sum(len(shard.refs) for shard in shards)
        done = 0
        for shard in reversed(shards):
            if self.shards.claim(shard):
                work(shard.refs, _within(progress, step, done, total))
                self.shards.finish(shard)
            done += len(shard.refs)
        while running := self.shards.running(job):
            left = sum(len(shard.refs) for shard in shards[:running])
            progress(step, total - left, total, "waiting for other workers")
            self.pause(LOOK_EVERY)

    def _seconds(self, work: Callable[[], object]) -> float:
        begun = self.clock()
        work()
        return self.clock() - begun


def _sample(refs: Sequence[ImageRef]) -> tuple[Sequence[ImageRef], Sequence[ImageRef]]:
    """Return images from everywhere, since those in front may be known, and the others."""
    step = len(refs) // PROBE
    probed = frozenset(range(0, step * PROBE, step))
    others = [ref for place, ref in enumerate(refs) if place not in probed]
    return [refs[place] for place in sorted(probed)], others


def _within(progress: Progress, step: Step, before: int, of: int) -> Progress:
    """Report the progress of a part as that of the whole."""

    def report(_step: Step, done: int, _of: int, detail: str = "") -> None:
        progress(step, min(of, before + done), of, detail)

    return report
