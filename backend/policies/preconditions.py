"""May this job start? Every reason at once, with counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import Label
from backend.domain.projects import LabelCount
from backend.domain.schema import Control, LabelSchema
from backend.domain.versions import ModelVersion

GOOD_IMAGES = 50
"""From this many images a class on, accuracy on held-out images means something."""

NOTHING_LEFT = Reason(
    ReasonCode.NO_UNLABELED_IMAGES,
    "no unlabeled image left",
    have=0,
    need=1,
    hint="Import more images into the project",
)

TRAIN_ANEW = "Train a new version in an active-learning job, or choose another one"

LONG_NAME = 32
NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Readiness:
    """What keeps a job from starting, and what a person should know even if it may start."""

    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.reasons


def check(
    schema: LabelSchema,
    counts: Sequence[LabelCount],
    labeled: int,
    unlabeled: int,
    min_labels: int,
    min_images: int,
    aside: int = 0,
) -> Readiness:
    """Whether a training may start, judged on images (not annotations) a label.

    A control that nobody used is left out with a warning, unless no control is used at all.
    `aside` is how many further images are labeled that no model may learn from.
    """
    used = {control.name: _images(control, counts) for control in schema.controls if control.labels}
    asked = [control for control in schema.controls if any(used.get(control.name, {}).values())]
    judged = asked or list(schema.controls)
    several = len(schema.controls) > 1
    reasons = [
        reason
        for control in judged
        for reason in _shortages(control, used[control.name], min_labels, min_images, several)
    ]
    if aside:
        reasons = [replace(one, message=f"{one.message} to learn from") for one in reasons]
    if unlabeled < 1:
        message = f"no unlabeled image left ({labeled} labeled)"
        reasons.append(replace(NOTHING_LEFT, message=message))
    warnings = [
        *(
            f"'{c.name}' is left out: nobody used it yet"
            for c in schema.controls
            if c not in judged
        ),
        *(warning for control in asked for warning in _doubts(used[control.name], min_images)),
    ]
    if aside:
        warnings.append(
            f"{aside} labeled images are not learned from: they are set aside at random for the "
            "guarantee, or a model labeled them"
        )
    return Readiness(tuple(reasons), tuple(warnings))


def model_fits(schema: LabelSchema, version: ModelVersion) -> tuple[Reason, ...]:
    """Why a version cannot pre-label a project: its controls, kinds and labels must be the same.

    Controls that the version never learned are no obstacle: they stay without a prediction.
    """
    differences = [
        difference
        for name in version.kinds
        for difference in _differences(schema.control(name), str(name), version)
    ]
    if not version.kinds:
        differences = [("it has learned nothing", TRAIN_ANEW)]
    return tuple(
        Reason(
            ReasonCode.MODEL_MISMATCH, f"model {version.name} does not fit: {difference}", hint=hint
        )
        for difference, hint in differences
    )


def none_chosen(tasks: int) -> Reason:
    """Why a job on chosen tasks would have nothing to do."""
    message = f"none of the {tasks} chosen tasks is unlabeled"
    if tasks == 1:
        message = "the chosen task is labeled or skipped"
    hint = "Choose tasks that nobody labeled or skipped"
    return replace(NOTHING_LEFT, message=message, hint=hint)


def _images(control: Control, counts: Sequence[LabelCount]) -> Mapping[Label, int]:
    found = {count.label: count.images for count in counts if count.control == control.name}
    return {label: found.get(label, 0) for label in control.labels}


def _shortages(
    control: Control, images: Mapping[Label, int], min_labels: int, min_images: int, several: bool
) -> Iterable[Reason]:
    used = sum(count > 0 for count in images.values())
    if used < min_labels:
        where = f" in '{control.name}'" if several else ""
        message = f"{used} of {min_labels} labels used{where}"
        hint = f"Label images with {_many(min_labels - used, 'more label')}, {min_images} each"
        if len(images) < min_labels:
            hint = f"Give the labeling config at least {min_labels} labels{where}"
        yield Reason(ReasonCode.TOO_FEW_LABELS, message, have=used, need=min_labels, hint=hint)
    for label, count in images.items():
        if 0 < count < min_images:
            name = _short(label)
            message = f"class '{name}' has {count} of {min_images} images"
            hint = (
                f"Label {_many(min_images - count, 'more image')} of '{name}', "
                "or remove the label from the others"
            )
            yield Reason(ReasonCode.TOO_FEW_IMAGES, message, label, count, min_images, hint)


def _doubts(images: Mapping[Label, int], min_images: int) -> Iterable[str]:
    unused = [label for label, count in images.items() if not count]
    few = [label for label, count in images.items() if min_images <= count < GOOD_IMAGES]
    long = [label for label in images if len(label) > LONG_NAME]
    if unused:
        yield f"labels that nobody used yet: {_listed(unused)}"
    if few:
        yield f"classes with fewer than {GOOD_IMAGES} images: {_listed(few)}"
    if long:
        yield f"label names longer than {LONG_NAME} characters: {_listed(long)}"


def _differences(
    control: Control | None, name: str, version: ModelVersion
) -> Iterable[tuple[str, str]]:
    """What keeps a version from labeling with a control, each with its cure."""
    if control is None:
        yield f"the labeling config has no '{name}'", TRAIN_ANEW
        return
    kind, labels = version.kinds[control.name], version.labels[control.name]
    if kind != control.kind:
        yield f"'{name}' asks for {control.kind}, the model does {kind}", TRAIN_ANEW
    foreign = [label for label in labels if label not in control.labels]
    missing = [label for label in control.labels if label not in labels]
    if foreign:
        hint = "Add it to the labeling config, or choose another version"
        yield f"'{name}' lacks its label {_listed(foreign)}", hint
    if missing:
        yield f"it was trained without {_listed(missing)}", TRAIN_ANEW


def _listed(labels: Sequence[Label]) -> str:
    names = ", ".join(f"'{_short(label)}'" for label in labels[:NAMES_SHOWN])
    more = len(labels) - NAMES_SHOWN
    return f"{names} and {more} more" if more > 0 else names


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _short(name: str) -> str:
    return name if len(name) <= LONG_NAME else f"{name[: LONG_NAME - 3]}..."
