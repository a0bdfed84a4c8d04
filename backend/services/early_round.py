"""Do what a round must do while Label Studio still lists the unlabeled tasks.

Label Studio lists 1,000 tasks in half a second, in which a job would only wait. A `fast` training
needs the labels alone. Hard examples, and what to label next, depend on all images; they are found
of a guess: the tasks that the last round listed, less those annotated since. What was done early
is used where the job turns out to work on just that; else the job does it as always.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from backend.domain.answers import HardExample, NoPrediction
from backend.domain.batches import ProjectPredictions
from backend.domain.errors import Stopped
from backend.domain.ids import TaskId
from backend.domain.jobs import JobRequest
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import Ledger, Trials
from backend.policies.selection import Pick
from backend.ports.progress import Progress
from backend.ports.stores import ListedTasks
from backend.services.prediction.hard_examples import HardExamples
from backend.services.prediction.inference import Predictor
from backend.services.project_tasks import LONG_LIST, ProjectTasks
from backend.services.side_work import SideThread
from backend.services.suggestions import NextPicks
from backend.services.training.dataset import Dataset
from backend.services.training.early_training import EarlyData, EarlyModels, EarlyTrainer
from backend.services.training.promotion import Promotion
from backend.services.training.train import Models, Previous, TrainedModels

HEARTBEAT = 0.5
"""Seconds between two reports of progress while waiting for early work."""

Before = TypeVar("Before")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class GuessedRound:
    """A round on guessed tasks: the predictions that it will show, and their models."""

    data: EarlyData
    models: Models
    trials: Trials
    predicted: ProjectPredictions

    def is_right(self, dataset: Dataset, predicted: ProjectPredictions) -> bool:
        """Whether the job works on just this dataset, and predicted the same."""
        return self.data.dataset is dataset and self.predicted.equals(predicted)


@dataclass(frozen=True, slots=True)
class EarlyWork:
    """The parts of a round that can be done early, each as the job does it."""

    trainer: EarlyTrainer
    listed: ListedTasks
    promotion: Promotion
    predictor: Predictor
    hard_examples: HardExamples
    next_picks: NextPicks

    def guess(
        self, request: JobRequest, annotated: ProjectTasks, unlabeled: int
    ) -> ProjectTasks | None:
        """Return all tasks as they will be listed; None if that cannot be.

        Args:
            request: of the job.
            annotated: the tasks with annotations.
            unlabeled: the number of the others.
        """
        if request.accept or not _is_of_all(request):
            return None
        known = {one.image.task for one in (*annotated.labeled, *annotated.unplaced)}
        others = [ref for ref in self.listed.last(request.project) if ref.task not in known]
        return annotated.and_also(others) if len(others) == unlabeled else None

    def predict(
        self, request: JobRequest, data: EarlyData | None, early: EarlyModels, progress: Progress
    ) -> GuessedRound | None:
        """Predict the guessed tasks by the better of two versions; None where none are loaded."""
        if not data or not data.tasks.unlabeled:
            return None
        schema, current = data.dataset.schema, self.trainer.versions.current(request.project)
        shown = self.promotion.choose(schema, early.trained, current, progress)
        predicted, _ = self.predictor.predict(
            schema, shown.models, data.dataset.unlabeled, progress
        )
        return GuessedRound(data, shown.models, shown.trials(early.trained.trials or {}), predicted)

    def hard(self, guess: GuessedRound, progress: Progress) -> Mapping[TaskId, HardExample]:
        """Find the hard examples of a guessed round."""
        return self.hard_examples.find(
            guess.data.dataset, guess.predicted, guess.models, guess.trials, progress
        )

    def picks(self, guess: GuessedRound) -> Sequence[Pick]:
        """Choose what to label next in a guessed round."""
        data = guess.data
        return self.next_picks(data.dataset, guess.predicted, data.ledger, data.tasks)


@dataclass(frozen=True, slots=True)
class _Begun:
    """What was begun, in the order in which it is done; None where the one before gave nothing."""

    data: Future[EarlyData | None]
    models: Future[EarlyModels | None]
    guess: Future[GuessedRound | None]
    hard: Future[Mapping[TaskId, HardExample] | None]
    picks: Future[Sequence[Pick] | None]


def _unreported(step: Step, done: int, of: int, detail: str = "") -> None:
    """Report nothing, where another thread does."""


class EarlyRound(SideThread):
    """Early work in a thread of its own, which ends with the block at the latest.

    with EarlyRound(work, request, schema) as early:
        ...  # list the annotated tasks
        early.begin(annotated, count of the others)
        ...  # list the others
        dataset = early.dataset(tasks, ledger, backbone, progress) or load_dataset(...)
        trained = early.models(dataset, previous, progress) or train(dataset)
        ...  # predict
        picks = early.picks(dataset, predicted)

    What failed early counts as not done: the job does it again, and tells why.
    """

    def __init__(self, work: EarlyWork, request: JobRequest, schema: LabelSchema) -> None:
        super().__init__("early-round")
        self._work = work
        self._request = request
        self._schema = schema
        self._begun: _Begun | None = None
        self._is_wrong = Event()
        self._reported: dict[Step, tuple[int, int, str]] = {}

    def end(self) -> None:
        """End the thread, and forget what it did."""
        super().end()
        self._begun = None

    def begin(self, annotated: ProjectTasks, unlabeled: int) -> bool:
        """Begin with these tasks, if listing so many `unlabeled` ones takes long enough.

        Returns whether these are guessed, so that nobody else need look up their features.
        """
        work, request, schema = self._work, self._request, self._schema
        if unlabeled < LONG_LIST or not work.trainer.fits(request, schema):
            return False
        guess = work.guess(request, annotated, unlabeled)

        def load() -> EarlyData | None:
            of_all = work.trainer.load(request, schema, guess, self._note) if guess else None
            return of_all or work.trainer.load(request, schema, annotated, self._note)

        data = self.submit(load)
        models = self._after(data, lambda it: work.trainer.train(request, it.dataset, self._note))
        guessed = self._after(
            models, lambda it: work.predict(request, data.result(), it, self._note_of_guess)
        )
        # what takes longest first: the job itself does what is not begun when it gets there
        hard = self._after(guessed, lambda it: work.hard(it, self._note_of_guess))
        picks = self._after(guessed, work.picks)
        self._begun = _Begun(data, models, guessed, hard, picks)
        return guess is not None

    def dataset(
        self, tasks: ProjectTasks, ledger: Ledger, backbone: str, progress: Progress
    ) -> tuple[Dataset, Sequence[NoPrediction]] | None:
        """Wait for the dataset, and the images that cannot be read; None if it has other tasks.

        Then the right ones are remembered for the guess of the next round.

        Raises:
            Stopped: from `progress`.
        """
        if self._begun is None:
            return None
        data = self._awaited(self._begun.data, Step.EMBED, progress)
        if data and data.is_of(tasks, ledger, backbone):
            return data.dataset, data.unreadable
        self._forget_guess(self._begun)
        if _is_of_all(self._request):
            project, listed = self._request.project, self._work.listed
            self.submit(lambda: listed.remember(project, tasks.unlabeled))
        return None

    def models(
        self, dataset: Dataset, previous: Previous, progress: Progress
    ) -> TrainedModels | None:
        """Wait for the models; None if there are none of just this dataset.

        Raises:
            Stopped: from `progress`.
        """
        if self._begun is None:
            return None
        early = self._awaited(self._begun.models, Step.TRAIN, progress)
        return early.on(dataset, previous, progress) if early else None

    def picks(self, dataset: Dataset, predicted: ProjectPredictions) -> Sequence[Pick] | None:
        """Wait for what to label next; None if that was not begun, or of another guess."""
        found = self._of(dataset, predicted, lambda begun: begun.picks, _unreported)
        return _outcome(found) if found else None

    def hard(
        self,
        dataset: Dataset,
        predicted: ProjectPredictions,
        trials: Trials,
        progress: Progress,
    ) -> Mapping[TaskId, HardExample] | None:
        """Wait for the hard examples; None if that was not begun, or of another guess.

        `trials` are those of the models that predicted.

        Raises:
            Stopped: from `progress`.
        """
        found = self._of(dataset, predicted, lambda begun: begun.hard, progress, trials)
        return self._awaited(found, Step.PREDICT, progress) if found else None

    def _of(
        self,
        dataset: Dataset,
        predicted: ProjectPredictions,
        part: Callable[[_Begun], Future[Result]],
        progress: Progress,
        trials: Trials | None = None,
    ) -> Future[Result] | None:
        """Return a part of the guessed round, if it was right and the part is begun."""
        begun = self._begun
        if begun is None or self._is_wrong.is_set():
            return None
        guess = self._awaited(begun.guess, Step.PREDICT, progress)
        if guess is None or not guess.is_right(dataset, predicted):
            self._forget_guess(begun)
            return None
        if trials is not None and guess.trials != trials:
            return None
        found = part(begun)
        return None if found.cancel() else found

    def _after(
        self, before: Future[Before | None], work: Callable[[Before], Result | None]
    ) -> Future[Result | None]:
        """Work on what was done before, if anything was."""

        def go_on() -> Result | None:
            found = before.result()
            return None if found is None else work(found)

        return self.submit(go_on)

    def _forget_guess(self, begun: _Begun) -> None:
        """Give up what depends on the guess; a training on the labels goes on."""
        self._is_wrong.set()
        for future in (begun.guess, begun.hard, begun.picks):
            future.cancel()

    def _awaited(self, future: Future[Result], step: Step, progress: Progress) -> Result | None:
        """Return the result while progress is reported; None if there is none."""
        while wait([future], timeout=HEARTBEAT).not_done:
            progress(step, *self._reported.get(step, (0, 1, "")))
        return _outcome(future)

    def _note(self, step: Step, done: int, of: int, detail: str = "") -> None:
        """Note progress for those who wait; raises Stopped once nobody does."""
        self.go_on()
        self._reported[step] = done, of, detail

    def _note_of_guess(self, step: Step, done: int, of: int, detail: str = "") -> None:
        """Note progress of what depends on the guess; raises Stopped once that is wrong."""
        if self._is_wrong.is_set():
            raise Stopped
        self._note(step, done, of, detail)


def _is_of_all(request: JobRequest) -> bool:
    """Whether the job works on just the tasks without annotations."""
    return not request.task_ids and not request.skipped


def _outcome(future: Future[Result]) -> Result | None:
    """Wait for the result; None if it failed or was never begun."""
    try:
        return None if future.exception() else future.result()
    except CancelledError:
        return None
