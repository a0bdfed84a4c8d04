"""From labeled images to one fitted model a control."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.domain.answers import Answer, Choice, LabeledImage
from backend.domain.batches import Pictures
from backend.domain.ids import ControlName, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, Kind, LabelSchema
from backend.domain.versions import ModelVersion
from backend.policies.certification import validation_split
from backend.ports.images import Fetch
from backend.ports.model_family import Family, Lesson, Model
from backend.ports.progress import Progress
from backend.ports.stores import Versions
from backend.services.training import seen_tasks
from backend.settings import Settings

HELD_OUT = 0.2
"""Share of the labeled images that a version is measured on and never learns from."""

Models = Mapping[ControlName, Model]
Previous = Callable[[ControlName], Path | None]
"""The folder of a control in the project's current version, if there is one."""


@dataclass(frozen=True, slots=True)
class Material:
    """What people said, and pictures of everything.

    `labeled` may teach a model; `validation` is the part of the random lane that people have
    opened, whose labels may not; `unlabeled` is what waits for predictions.
    """

    schema: LabelSchema
    people: Mapping[TaskId, LabeledImage]
    labeled: Pictures
    validation: Pictures
    unlabeled: Pictures

    @property
    def unanswered(self) -> Pictures:
        """What a model may look at without an answer: all that it may be certified on as well as
        what it may then accept, since a test is fair only where it treated both alike.
        """
        return self.unlabeled.joined(self.validation)

    def unseen_by(self, known: frozenset[TaskId]) -> "Material":
        """The same without the validation images that a version knows, which would flatter it."""
        rows = [row for row, task in enumerate(self.validation.tasks) if task not in known]
        return replace(self, validation=self.validation.take(rows))


@dataclass(frozen=True, slots=True)
class Learned:
    """What a round learned, and what from."""

    lessons: Mapping[ControlName, Lesson]
    models: Models

    @property
    def held_out(self) -> int:
        """Images that some control was measured on."""
        return len({ref for lesson in self.lessons.values() for ref in lesson.held_out.refs})


@dataclass(frozen=True, slots=True)
class Learning:
    """Trains with the model family of each control's kind."""

    families: Mapping[Kind, Family]
    settings: Settings
    fetch: Fetch

    def learn(
        self, material: Material, algorithm: Algorithm, previous: Previous, progress: Progress
    ) -> "Learned":
        """A model of every control that people used, in the schema's order."""
        controls = used(material.schema, tuple(material.people.values()))
        lessons = {
            control.name: self._lesson(
                control, material, algorithm, previous, _share(progress, turn, len(controls))
            )
            for turn, control in enumerate(controls)
        }
        models = {
            name: self.families[lesson.control.kind].fit(lesson) for name, lesson in lessons.items()
        }
        return Learned(lessons, models)

    def load(self, schema: LabelSchema, version: ModelVersion, versions: Versions) -> Models:
        """The published models of those controls that the schema still has."""
        return {
            control.name: self.families[control.kind].load(
                versions.folder(version.project, version.name, control.name), control
            )
            for control in schema.controls
            if control.name in version.kinds
        }

    def _lesson(
        self,
        control: Control,
        material: Material,
        algorithm: Algorithm,
        previous: Previous,
        progress: Progress,
    ) -> Lesson:
        rows, answers = answered(control, material)
        pictures = material.labeled.take(rows)
        folder = previous(control.name)
        past = seen_tasks.read(folder)
        learn, hold = validation_split.split(
            pictures.tasks, answers, self.settings.seed, HELD_OUT, past
        )
        return Lesson(
            control=control,
            train=pictures.take(learn),
            train_answers=[answers[int(row)] for row in learn],
            held_out=pictures.take(hold),
            held_out_answers=[answers[int(row)] for row in hold],
            unlabeled=material.unanswered,
            algorithm=algorithm,
            previous=folder if past.isdisjoint(material.validation.tasks) else None,
            fetch=self.fetch,
            progress=progress,
            seed=self.settings.seed,
            max_minutes=self.settings.max_train_minutes,
        )


def answered(control: Control, material: Material) -> tuple[list[int], list[Answer]]:
    """Rows of `material.labeled` whose task answers this control, and the answers."""
    rows: list[int] = []
    answers: list[Answer] = []
    for row, ref in enumerate(material.labeled.refs):
        answer = material.people[ref.task].answers.get(control.name)
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
    return bool(answer and (answer.labels if isinstance(answer, Choice) else answer.regions))


def _share(progress: Progress, turn: int, turns: int) -> Progress:
    """The part of the step that belongs to one of several trainings."""

    def report(step: str, done: int, of: int) -> None:
        progress(step, turn * of + done, turns * of)

    return report
