"""Preconditions of a job: every reason against it at once, with counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import Label
from backend.domain.items import ItemKind
from backend.domain.projects import LabelCount
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.domain.versions import ModelVersion
from backend.policies.item_checks import nothing_left

GOOD_IMAGES = 50
"""From this many images a class on, accuracy on held-out images means something."""

PARTIAL_HINT = (
    "Start without --accept, or with --partial, which makes predictions only; people complete them"
)

TRAIN_ANEW = "Train a new version in an active-learning job, or choose another one"

FEWEST_CHOICES = 2

LONG_NAME = 32
NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """Images of a project, as a training would find them.

    `labeled` counts images that a model may be trained on, `per_label` counts them by label;
    `excluded` are labeled too, but in the audit sample or labeled by a model.
    """

    per_label: Sequence[LabelCount]
    labeled: int
    unlabeled: int
    excluded: int = 0

    def of(self, control: Control) -> Mapping[Label, int]:
        """Return the images of each label of a control."""
        images = {one.label: one.images for one in self.per_label if one.control == control.name}
        return {label: images.get(label, 0) for label in control.labels}


@dataclass(frozen=True, slots=True)
class Minimum:
    """What a training needs: so many labels in use, on so many images each.

    Each question with choices needs the labels itself, and at least two. Rectangles of one label
    are a whole question (where is it?), so they need them in the project as a whole.
    """

    labels: int
    images: int


def reasons(schema: LabelSchema, counts: Counts, minimum: Minimum) -> tuple[Reason, ...]:
    """Return every reason why no training may start; images count, not annotations.

    A control without any label is no reason, unless no control has one.
    """
    several = len(schema.controls) > 1
    items = schema.items
    asked = trained(schema, counts) or schema.controls
    in_use = labels_in_use(asked, counts)
    shortages = [
        reason
        for control in asked
        for reason in (
            *_too_few_labels(control, counts, minimum, in_use, schema, several=several),
            *_too_few_images(counts.of(control), minimum.images, items),
        )
    ]
    if counts.excluded:
        shortages = [replace(one, message=f"{one.message} to train on") for one in shortages]
    if counts.unlabeled < 1:
        message = f"no unlabeled {items.noun} left ({counts.labeled} labeled)"
        shortages.append(replace(nothing_left(items), message=message))
    return tuple(shortages)


def warnings(schema: LabelSchema, counts: Counts, minimum: Minimum) -> tuple[str, ...]:
    """Return what people should know even if a training may start."""
    learned = trained(schema, counts)
    unused = [one for one in schema.controls if learned and one not in learned]
    lines = [f"'{control.name}' is left out: it has no labels yet" for control in unused]
    lines += [
        line
        for control in learned
        for line in _label_warnings(counts.of(control), minimum.images, schema.items)
    ]
    if counts.excluded:
        lines.append(
            f"{counts.excluded} labeled {schema.items.plural} are not used for training: they are "
            "in the random sample that the guarantee rests on, or a model labeled them"
        )
    return tuple(lines)


def trained(schema: LabelSchema, counts: Counts) -> list[Control]:
    """Return the controls with at least one label."""
    return [control for control in schema.controls if any(counts.of(control).values())]


def model_fits(
    schema: LabelSchema, version: ModelVersion, *, new_labels: bool = False
) -> tuple[Reason, ...]:
    """Return why a version cannot pre-label a project; controls, kinds and labels must match.

    Controls that the version never learned are no obstacle: they stay without a prediction.
    `new_labels` says that labels it never learned are none either.
    """
    differences = [
        difference
        for name in version.kinds
        for difference in _differences(schema.control(name), str(name), version, new_labels)
    ]
    if not version.kinds:
        differences = [("it has learned nothing", TRAIN_ANEW)]
    if version.items.is_text is not schema.items.is_text:
        learned, asked = version.items.plural, schema.items.plural
        differences = [(f"it was trained on {learned}, the project asks about {asked}", TRAIN_ANEW)]
    return tuple(
        Reason(
            ReasonCode.MODEL_MISMATCH, f"model {version.name} does not fit: {difference}", hint=hint
        )
        for difference, hint in differences
    )


def promise_fits(schema: LabelSchema) -> tuple[Reason, ...]:
    """Return why the promise `boxes` cannot be given: something else than boxes is labeled."""
    others = [one for one in schema.controls if one.kind is not TaskKind.DETECTION]
    return tuple(
        Reason(
            ReasonCode.PROMISE_NEEDS_BOXES,
            f"the promise 'boxes' is for rectangles only, and '{one.name}' asks for choices",
            hint="Choose the promise 'dataset' or 'accepted'",
        )
        for one in others
    )


def incomplete(schema: LabelSchema, counts: Counts | None = None) -> tuple[Reason, ...]:
    """Return why no prediction may be accepted: accepted tasks would be labeled only in part.

    `counts` tells which controls have labels to learn from; without, that is not checked.
    """
    learned = trained(schema, counts) if counts else schema.controls
    untaught = [f"'{one.name}' (no labels yet)" for one in schema.controls if one not in learned]
    return tuple(
        Reason(
            ReasonCode.UNLEARNED_CONTROLS,
            f"accepted tasks would lack the answer to {control}, which is not learned",
            hint=PARTIAL_HINT,
        )
        for control in (*schema.unlearned, *untaught)
    )


def labels_in_use(controls: Iterable[Control], counts: Counts) -> int:
    return sum(_used(counts.of(control)) for control in controls)


def labels_needed(
    control: Control, images: Mapping[Label, int], minimum: Minimum, in_use: int
) -> int:
    """Return how many labels of a control a training needs; `in_use` counts all controls' labels.

    Rectangles of one label are enough where the labels of all controls are.
    """
    need = minimum.labels if control.is_drawn else max(FEWEST_CHOICES, minimum.labels)
    return 1 if control.is_drawn and _used(images) and in_use >= need else need


def _used(images: Mapping[Label, int]) -> int:
    return sum(count > 0 for count in images.values())


def _too_few_labels(
    control: Control,
    counts: Counts,
    minimum: Minimum,
    in_use: int,
    schema: LabelSchema,
    *,
    several: bool,
) -> Iterable[Reason]:
    """Yield why a control has too few labels; `in_use` counts those of all controls."""
    images = counts.of(control)
    used, need = _used(images), labels_needed(control, images, minimum, in_use)
    if used >= need:
        return
    where = f" in '{control.name}'" if several else ""
    missing = _many(need - used, "more label")
    hint = f"Label {schema.items.plural} with {missing}, {minimum.images} each"
    if len(images) < need:
        hint = f"Give the labeling config at least {need} labels{where}"
    if control.is_drawn and used:
        hint += ", or set AUTOLABEL_MIN_LABELS=1, which allows rectangles with a single label"
    message = f"{used} of {need} labels used{where}"
    yield Reason(ReasonCode.TOO_FEW_LABELS, message, have=used, need=need, hint=hint)


def _too_few_images(
    images: Mapping[Label, int], min_images: int, items: ItemKind
) -> Iterable[Reason]:
    for label, count in images.items():
        if 0 < count < min_images:
            name = _short(label)
            message = f"class '{name}' has {count} of {min_images} {items.plural}"
            hint = (
                f"Label {_many(min_images - count, f'more {items.noun}')} of '{name}', "
                "or remove the label from the others"
            )
            yield Reason(ReasonCode.TOO_FEW_IMAGES, message, label, count, min_images, hint)


def _label_warnings(images: Mapping[Label, int], min_images: int, items: ItemKind) -> Iterable[str]:
    unused = [label for label, count in images.items() if not count]
    few = [label for label, count in images.items() if min_images <= count < GOOD_IMAGES]
    long = [label for label in images if len(label) > LONG_NAME]
    if unused:
        yield f"labels that nobody used yet: {_listed(unused)}"
    if few:
        yield f"classes with fewer than {GOOD_IMAGES} {items.plural}: {_listed(few)}"
    if long:
        yield f"label names longer than {LONG_NAME} characters: {_listed(long)}"


def _differences(
    control: Control | None, name: str, version: ModelVersion, new_labels: bool
) -> Iterable[tuple[str, str]]:
    """Yield what keeps a version from labeling with a control, each with a hint."""
    if control is None:
        yield f"the labeling config has no '{name}'", TRAIN_ANEW
        return
    kind, labels = version.kinds[control.name], version.labels[control.name]
    if kind != control.kind:
        yield f"'{name}' asks for {control.kind}, the model does {kind}", TRAIN_ANEW
    foreign = [label for label in labels if label not in control.labels]
    missing = () if new_labels else _unknown_to(control, version)
    if foreign:
        hint = "Add it to the labeling config, or choose another version"
        yield f"'{name}' lacks its label {_listed(foreign)}", hint
    if missing:
        yield f"it was trained without {_listed(missing)}", TRAIN_ANEW


def _unknown_to(control: Control, version: ModelVersion) -> list[Label]:
    known = version.labels.get(control.name, ())
    return [label for label in control.labels if label not in known]


def new_labels(schema: LabelSchema, version: ModelVersion) -> tuple[str, ...]:
    """Say which labels came into the config after the version was trained."""
    return tuple(
        f"version {version.name} was trained without {_listed(new)} of '{control.name}': it goes "
        f"on predicting the other labels until a training has {schema.items.plural} of all"
        for control in schema.controls
        if control.name in version.kinds and (new := _unknown_to(control, version))
    )


def _listed(labels: Sequence[Label]) -> str:
    names = ", ".join(f"'{_short(label)}'" for label in labels[:NAMES_SHOWN])
    more = len(labels) - NAMES_SHOWN
    return f"{names} and {more} more" if more > 0 else names


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _short(name: str) -> str:
    return name if len(name) <= LONG_NAME else f"{name[: LONG_NAME - 3]}..."
