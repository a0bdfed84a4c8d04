"""Push the predictions of a version in large batches.

Label Studio works for seconds on each. Meanwhile a second thread stores what was sent, for the
backend's own answers, and prepares what is offered later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.ids import TaskId
from backend.domain.steps import Step
from backend.domain.task_lists import ListDraft
from backend.label_studio import codec
from backend.ports.label_studio import PredictionEditor, SerializedPrediction
from backend.ports.progress import Progress
from backend.ports.stores import StoredPredictions
from backend.ports.unfinished import KeptWork
from backend.services.labeling_round import LabelingRound
from backend.services.publishing.offering import Offer, Offers, offers_of
from backend.services.publishing.release import Release
from backend.services.side_work import beside


@dataclass(frozen=True, slots=True)
class PushedPredictions:
    """Predictions in Label Studio, earlier ones included, and those that it dropped."""

    predicted: int
    dropped: tuple[NoPrediction, ...]


@dataclass(frozen=True, slots=True)
class Pushing:
    """Pushes predictions, and stores the same."""

    label_studio: PredictionEditor
    stored: StoredPredictions

    def __call__(
        self,
        release: Release,
        drafts: Sequence[ListDraft],
        first: Sequence[SerializedPrediction],
        kept: KeptWork,
        progress: Progress,
    ) -> tuple[PushedPredictions, Offers]:
        """Push the predictions that are not there yet, in large batches; the last marks the lists.

        Returns what is there now, and what to offer of all predictions of the release. `first` is
        the first batch if that was serialized already, else empty. A new version has none yet,
        which saves a pass through the whole project.

        Raises:
            OutOfSpace: when the predictions cannot be stored; Label Studio may have them.
        """
        there = self._there(release, kept)
        tasks = release.assessment.predicted.images.tasks
        count, dropped = sum(task in there for task in tasks), list[NoPrediction]()
        offers = dict[ImageRef, Offer]()
        total, at_once = len(tasks), self._most_at_once(release.round_)
        for start in range(0, max(total, 1), at_once):
            progress(Step.PUSH, start, total)
            batch = first or self.batch(release, start)
            first = ()
            new = [one for one in batch if one.task not in there]
            lists = drafts if start + at_once >= total else ()
            kept.keep_pushing([one.task for one in new])
            with beside(partial(self._store, release, batch)) as stored:
                pushed = self.label_studio.push(release.project, new, lists)
                kept.keep_pushing(())
            offers |= stored.result()
            count += pushed.created
            dropped += pushed.dropped
        progress(Step.PUSH, total, total)
        return PushedPredictions(count, tuple(dropped)), offers

    def batch(self, release: Release, start: int) -> Sequence[SerializedPrediction]:
        """Serialize the batch that begins with a row of the predictions."""
        predicted, hard = release.assessment.predicted, release.assessment.hard
        tasks, version = predicted.images.tasks, release.version.name
        rows = range(start, min(start + self._most_at_once(release.round_), len(tasks)))
        made = (predicted.prediction(row, version, hard.get(tasks[row])) for row in rows)
        return codec.serialized(made, release.round_.schema)

    def _most_at_once(self, round_: LabelingRound) -> int:
        tasks = round_.tasks
        return self.label_studio.most_at_once(len(tasks.labeled) + len(tasks.unlabeled))

    def _store(
        self, release: Release, batch: Sequence[SerializedPrediction]
    ) -> dict[ImageRef, Offer]:
        """Store a batch; returns what to offer of it."""
        contents = {one.prediction.image: one.content for one in batch}
        self.stored.put(release.project, release.version.name, contents)
        return offers_of(contents, release.round_.schema)

    def _there(self, release: Release, kept: KeptWork) -> frozenset[TaskId]:
        """Return the tasks that have a prediction, once a call of a dead process has ended."""
        if release.is_new:
            return frozenset()
        project, version = release.project, release.version.name
        if late := kept.pushing():
            self.label_studio.await_late(project, version, late)
            kept.keep_pushing(())
        return self.label_studio.predicted(project, version)
