"""Labeled images that teach a control nothing: how many, why, and what people can do about it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches

from backend.domain.answers import Gap, LabeledImage
from backend.domain.ids import ControlName, ProjectId, TaskId
from backend.domain.items import ItemKind
from backend.domain.projects import LeftOut
from backend.domain.schema import Control, LabelSchema

TASKS_SHOWN = 20
NAMES_SHOWN = 5

MANY_EMPTY = 0.5
"""From this share on, images without any label are probably a misunderstanding."""

CAUSES = {
    Gap.NO_LABEL: "a region or choice without a label. Give it one in Label Studio",
    Gap.OTHER_IMAGE: "results on another {item} than its own. Annotate that one, or correct toName "
    "in the labeling config",
    Gap.OTHER_SHAPE: "labels on shapes that are no rectangles, or answers about single regions. "
    "Draw rectangles, and answer about the whole {item}",
    Gap.NO_AREA: "regions without any area inside the {item}. Draw them again",
    Gap.HIDDEN_ANSWERS: "an answer to it, although it is hidden beside the other answers. Submit "
    "the annotation again to remove that answer",
}


def left_out(schema: LabelSchema, images: Iterable[LabeledImage]) -> tuple[LeftOut, ...]:
    """Count the images that are left out, by control and reason, in the order of the schema."""
    tasks: dict[tuple[ControlName, Gap], list[TaskId]] = {}
    names: dict[tuple[ControlName, Gap], Counter[str]] = {}
    for image in images:
        for control, one in image.unanswered.items():
            if one.gap is not Gap.NOT_ASKED:
                key = control, one.gap
                tasks.setdefault(key, []).append(image.image.task)
                names.setdefault(key, Counter()).update(one.names)
    return tuple(
        LeftOut(control.name, gap, len(found), _by_count(names[control.name, gap]), _some(found))
        for control in schema.controls
        for gap in Gap
        if (found := tasks.get((control.name, gap)))
    )


def warnings(
    schema: LabelSchema, images: Sequence[LabeledImage], project: ProjectId
) -> tuple[str, ...]:
    """Say what is left out of a training and why, and which answers are mostly empty."""
    found = left_out(schema, images)
    return (
        *(_sentence(one, schema, project, len(images)) for one in found),
        *(
            line
            for control in schema.controls
            for line in _mostly_empty(control, images, schema.items)
        ),
    )


def _sentence(one: LeftOut, schema: LabelSchema, project: ProjectId, images: int) -> str:
    if one.gap is Gap.OTHER_QUESTIONS:
        return _other_questions(one, schema, images)
    special: Mapping[Gap, Callable[[], str]] = {
        Gap.UNKNOWN_LABEL: lambda: _unknown_label(one, schema, project),
        Gap.UNKNOWN_CONTROL: lambda: _unknown_control(one),
        Gap.SEVERAL_LABELS: lambda: _several_labels(one),
        Gap.DISAGREEMENT: lambda: _disagreement(one),
    }
    cause = (
        special[one.gap]() if one.gap in special else CAUSES[one.gap].format(item=schema.items.noun)
    )
    teach = "teaches" if one.images == 1 else "teach"
    return (
        f"{one.images} of {images} labeled {schema.items.plural} {teach} '{one.control}' nothing, "
        f"due to {cause}"
    )


def _unknown_label(one: LeftOut, schema: LabelSchema, project: ProjectId) -> str:
    name = one.names[0][0]
    control = schema.control(one.control)
    known = {str(label).lower(): str(label) for label in control.labels} if control else {}
    close = get_close_matches(name.lower(), known, 1)
    new = known[close[0]] if close else "NEW"
    return (
        f"labels that are not in the labeling config: {_listed(one.names)}. Rename them (autolabel "
        f'labels {project} rename "{name}" "{new}"), or add them to the labeling config'
    )


def _unknown_control(one: LeftOut) -> str:
    return (
        f"results of a control that is not in the labeling config: {_listed(one.names)}. Give the "
        f"control that name in the labeling config, or import them as results of '{one.control}'"
    )


def _several_labels(one: LeftOut) -> str:
    return (
        f"several labels where one is allowed, so it is unclear: {_listed(one.names)} on "
        f"{_tasks(one)}. Choose one in Label Studio, or allow several in the labeling config "
        '(choice="multiple")'
    )


def _disagreement(one: LeftOut) -> str:
    return (
        f"annotators who disagree, so it is unclear: {_tasks(one)}. Decide by marking one "
        "annotation of each as ground truth"
    )


def _tasks(one: LeftOut) -> str:
    more = " and more" if one.images > len(one.tasks) else ""
    return f"tasks {', '.join(map(str, one.tasks))}{more}"


def _other_questions(one: LeftOut, schema: LabelSchema, images: int) -> str:
    asked = [name for name, _ in one.names if schema.control(name)]
    cure = f", or add required=\"true\" to '{asked[0]}' in the labeling config" if asked else ""
    return (
        f"{one.images} of {images} labeled images have no rectangle of '{one.control}' but answer "
        f"other questions: {_listed(one.names)}. Nobody may have looked for any, so they teach it "
        "nothing. Draw what is there; where nothing is, submit without any answer"
        f"{cure}: then they count as images of nothing"
    )


def _mostly_empty(
    control: Control, images: Sequence[LabeledImage], items: ItemKind
) -> Iterable[str]:
    """Warn where most answers to a control are empty, and say how they came about."""
    answered = [one for one in images if control.name in one.answers]
    empty = [one for one in answered if not one.answers[control.name].labels]
    if len(empty) <= MANY_EMPTY * len(answered):
        return
    bare = sum(not any(answer.labels for answer in one.answers.values()) for one in empty)
    ways = [
        f"{bare} were submitted without any answer" if bare else "",
        f"{len(empty) - bare} answer other questions only" if bare < len(empty) else "",
    ]
    what = "no rectangle" if control.is_drawn else "no choice"
    yield (
        f"{len(empty)} of {len(answered)} {items.plural} that answer '{control.name}' have {what} "
        f"and teach that there is nothing: {', '.join(filter(None, ways))}. If that is not meant, "
        "annotate them again or delete these annotations"
    )


def _by_count(names: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(names.items(), key=lambda one: (-one[1], one[0])))


def _some(tasks: Sequence[TaskId]) -> tuple[TaskId, ...]:
    return tuple(tasks[:TASKS_SHOWN])


def _listed(names: Sequence[tuple[str, int]]) -> str:
    shown = ", ".join(f"'{name}' ({count})" for name, count in names[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown
