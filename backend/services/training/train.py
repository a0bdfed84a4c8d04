"""From labeled images to one fitted model a control."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.domain.answers import Answer, Choices, LabeledImage
from backend.domain.batches import ImageBatch
from backend.domain.ids import ControlName, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.policies.certification import audit_sample
from backend.ports.images import Fetch
from backend.ports.model_family import Family, Model, TrainingSet
from backend.ports.progress import Progress
from backend.ports.stores import VersionFolders
from backend.services.training import seen_tasks
from backend.settings import Settings

HELD_OUT = 0.2
"""Share of the labeled images that a version is measured on and never learns from."""

Models = Mapping[ControlName, Model]
Previous = Callable[[ControlName], Path | None]
"""The folder of a control in the project's current version, if there is one."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What people said, and pictures of everything.

    `labeled` may teach a model; `validation` is the part of the random lane that people have
    opened, whose labels may not; `unlabeled` is what waits for predictions.
    """

    schema: LabelSchema
    people: Mapping[TaskId, LabeledImage]
    labeled: ImageBatch
    validation: ImageBatch
    unlabeled: ImageBatch

    @property
    def unanswered(self) -> ImageBatch:
        """What a model may look at without an answer: all that it may be certified on as well as
        what it may then accept, since a test is fair only where it treated both alike.
        """
        return self.unlabeled.joined(self.validation)

    def unseen_by(self, known: frozenset[TaskId]) -> "Dataset":
        """The same without the validation images that a version knows, which would flatter it."""
        rows = [row for row, task in enumerate(self.validation.tasks) if task not in known]
        return replace(self, validation=self.validation.take(rows))


@dataclass(frozen=True, slots=True)
class Learned:
    """What a round learned, and what from."""

    training_sets: Mapping[ControlName, TrainingSet]
    models: Models

    @property
    def held_out(self) -> int:
        """Images that some control was measured on."""
        return len(
            {
                ref
                for training_set in self.training_sets.values()
                for ref in training_set.held_out.refs
            }
        )


@dataclass(frozen=True, slots=True)
class Learning:
    """Trains with the model family of each control's kind."""

    families: Mapping[TaskKind, Family]
    settings: Settings
    fetch: Fetch

    def learn(
        self, dataset: Dataset, algorithm: Algorithm, previous: Previous, progress: Progress
    ) -> "Learned":
        """A model of every control that people used, in the schema's order."""
        controls = used(dataset.schema, tuple(dataset.people.values()))
        training_sets = {
            control.name: self._training_set(
                control, dataset, algorithm, previous, _share(progress, turn, len(controls))
            )
            for turn, control in enumerate(controls)
        }
        models = {
            name: self.families[training_set.control.kind].fit(training_set)
            for name, training_set in training_sets.items()
        }
        return Learned(training_sets, models)

    def load(self, schema: LabelSchema, version: ModelVersion, versions: VersionFolders) -> Models:
        """The published models of those controls that the schema still has."""
        return {
            control.name: self.families[control.kind].load(
                versions.folder(version.project, version.name, control.name), control
            )
            for control in schema.controls
            if control.name in version.kinds
        }

    def _training_set(
        self,
        control: Control,
        dataset: Dataset,
        algorithm: Algorithm,
        previous: Previous,
        progress: Progress,
    ) -> TrainingSet:
        rows, answers = answered(control, dataset)
        images = dataset.labeled.take(rows)
        folder = previous(control.name)
        past = seen_tasks.read(folder)
        learn, hold = audit_sample.split(images.tasks, answers, self.settings.seed, HELD_OUT, past)
        return TrainingSet(
            control=control,
            train=images.take(learn),
            train_answers=[answers[int(row)] for row in learn],
            held_out=images.take(hold),
            held_out_answers=[answers[int(row)] for row in hold],
            unlabeled=dataset.unanswered,
            algorithm=algorithm,
            previous=folder if past.isdisjoint(dataset.validation.tasks) else None,
            fetch=self.fetch,
            progress=progress,
            seed=self.settings.seed,
            max_minutes=self.settings.max_train_minutes,
        )


def answered(control: Control, dataset: Dataset) -> tuple[list[int], list[Answer]]:
    """Rows of `dataset.labeled` whose task answers this control, and the answers."""
    rows: list[int] = []
    answers: list[Answer] = []
    for row, ref in enumerate(dataset.labeled.refs):
        answer = dataset.people[ref.task].answers.get(control.name)
        if answer is not None:
            rows.append(row)
            answers.append(answer)
    return rows, answers


def used(schema: LabelSchema, people: Sequence[LabeledImage]) -> tuple[Control, ...]:
    """Controls of which somebody used a label; an untouched one cannot be learned."""
    return tuple(
        control
        for control in schema.controls
        if any(_says_something(person.answers.get(control.name)) for person in people)
    )


def _says_something(answer: Answer | None) -> bool:
    return bool(answer and (answer.labels if isinstance(answer, Choices) else answer.regions))


def _share(progress: Progress, turn: int, turns: int) -> Progress:
    """The part of the step that belongs to one of several trainings."""

    def report(step: Step, done: int, of: int, detail: str = "") -> None:
        progress(step, turn * of + done, turns * of, detail)

    return report
