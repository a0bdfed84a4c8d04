"""The tasks of a project, as Label Studio lists them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from backend.domain.answers import Answer, Choices, ImageRef, LabeledImage, Regions
from backend.domain.ids import ControlName, Label, ProjectId, TaskId
from backend.domain.projects import LabelCount
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import Ledger
from backend.policies.preconditions import Counts
from backend.ports.label_studio import TaskReader
from backend.ports.progress import Progress

Item = TypeVar("Item")

REPORT_EVERY = 500
"""Tasks between two progress calls while listing."""

LONG_LIST = 1000
"""Unlabeled tasks from which on listing them takes so long, half a second, that something else is
worth doing meanwhile."""


@dataclass(frozen=True, slots=True)
class ProjectTasks:
    """All labeled images of a project, and the addresses of all unlabeled ones.

    `unplaced` images are annotated too, but no control has an answer: they are neither.
    """

    labeled: tuple[LabeledImage, ...]
    unlabeled: tuple[ImageRef, ...]
    unplaced: tuple[LabeledImage, ...] = ()

    @classmethod
    def of(
        cls, annotated: Iterable[LabeledImage], unlabeled: Iterable[ImageRef] = ()
    ) -> "ProjectTasks":
        """Tell the annotated images that answer something from those that do not."""
        found = tuple(annotated)
        return cls(
            labeled=tuple(one for one in found if one.answers),
            unlabeled=tuple(unlabeled),
            unplaced=tuple(one for one in found if not one.answers),
        )

    def only(self, tasks: Iterable[TaskId]) -> "ProjectTasks":
        """Keep only these unlabeled tasks."""
        wanted = set(tasks)
        return replace(self, unlabeled=tuple(ref for ref in self.unlabeled if ref.task in wanted))

    def and_also(self, refs: Iterable[ImageRef]) -> "ProjectTasks":
        """Add tasks to the unlabeled ones."""
        return replace(self, unlabeled=(*self.unlabeled, *refs))

    def without(self, tasks: Iterable[TaskId]) -> "ProjectTasks":
        """Leave out these unlabeled tasks."""
        done = set(tasks)
        return replace(self, unlabeled=tuple(ref for ref in self.unlabeled if ref.task not in done))

    def set_aside(self, tasks: Collection[TaskId]) -> "ProjectTasks":
        """Treat these labeled tasks as if nobody had labeled them."""
        labeled = tuple(one for one in self.labeled if one.image.task not in tasks)
        aside = tuple(one.image for one in self.labeled if one.image.task in tasks)
        return replace(self, labeled=labeled, unlabeled=(*self.unlabeled, *aside))


def take(
    label_studio: TaskReader,
    project: ProjectId,
    schema: LabelSchema,
    progress: Progress,
    begin: Callable[[ProjectTasks, int], None] = lambda _, __: None,
    look: Callable[[Sequence[ImageRef]], None] = lambda _: None,
) -> ProjectTasks:
    """List every task; `progress` may stop it between pages.

    `begin` is told the labeled tasks and the number of the others before these are listed; `look`
    is shown them by `REPORT_EVERY` while the list goes on.
    """
    left = label_studio.count_before_listing(project)
    labeled = _listed(
        label_studio.labeled(project, schema),
        lambda done: progress(Step.LIST, done, done + left),
    )
    begin(ProjectTasks.of(labeled), left)
    unlabeled = _listed(
        label_studio.unlabeled(project, schema),
        lambda done: progress(Step.LIST, len(labeled) + done, len(labeled) + left),
        look,
    )
    progress(Step.LIST, 1, 1)
    return ProjectTasks.of(labeled, unlabeled)


def _listed(
    items: Iterable[Item],
    report: Callable[[int], None],
    look: Callable[[Sequence[Item]], None] = lambda _: None,
) -> tuple[Item, ...]:
    listed: list[Item] = []
    for item in items:
        if len(listed) % REPORT_EVERY == 0:
            report(len(listed))
            look(listed[-REPORT_EVERY:])
        listed.append(item)
    return tuple(listed)


def count(schema: LabelSchema, labeled: Iterable[LabeledImage]) -> tuple[LabelCount, ...]:
    """Count the images of each label of the config, 0 for those never used.

    Images are counted, not annotations or regions.
    """
    used: Counter[tuple[ControlName, Label]] = Counter()
    for image in labeled:
        for control, answer in image.answers.items():
            used.update((control, label) for label in _labels(answer))
    return tuple(
        LabelCount(control.name, label, used[control.name, label])
        for control in schema.controls
        for label in control.labels
    )


def by_people(annotated: Iterable[LabeledImage], ledger: Ledger) -> tuple[ProjectTasks, int]:
    """Return the images that people annotated, and the number of those that a model labeled.

    The latter may be nearly all of a large project, so they are counted only, one after the other.
    """
    of_model = 0

    def others() -> Iterator[LabeledImage]:
        nonlocal of_model
        for image in annotated:
            if is_of_model(image, ledger):
                of_model += bool(image.answers)
            else:
                yield image

    return ProjectTasks.of(others()), of_model


def trainable(labeled: Iterable[LabeledImage], ledger: Ledger) -> tuple[LabeledImage, ...]:
    """Return the images that a model may be trained on.

    Not what a model labeled: the next one would learn its mistakes.
    """
    return tuple(image for image in labeled if not is_of_model(image, ledger))


def not_blind(labeled: Iterable[LabeledImage], ledger: Ledger) -> tuple[LabeledImage, ...]:
    """Return the labels by people that were made from predictions."""
    return tuple(image for image in trainable(labeled, ledger) if not image.blind)


def is_of_model(image: LabeledImage, ledger: Ledger) -> bool:
    """Whether a model gave the label; one that a person changed or submitted is a person's."""
    is_relabeled = bool(image.changed) and ledger.relabeled.get(image.annotation) == image.changed
    return image.image.task in ledger.accepted and (is_relabeled or not image.by_person)


def count_images(
    schema: LabelSchema, tasks: ProjectTasks, ledger: Ledger, unlabeled: int | None = None
) -> Counts:
    """Count the images of a training; `unlabeled` where those tasks were counted, not listed."""
    usable = trainable(tasks.labeled, ledger)
    return Counts(
        per_label=count(schema, usable),
        labeled=len(usable),
        unlabeled=len(tasks.unlabeled) if unlabeled is None else unlabeled,
        excluded=len(tasks.labeled) - len(usable),
    )


def _labels(answer: Answer) -> tuple[Label, ...]:
    match answer:
        case Choices(labels):
            return labels
        case Regions():
            return answer.labels
