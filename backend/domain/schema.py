"""What a labeling config asks: controls, their kinds and their labels.

A *control* is one question about an image or a text: a `Choices` tag, or all `RectangleLabels` tags
of an image together, which one detector learns.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from backend.domain.answers import Answer
from backend.domain.ids import ControlName, Label
from backend.domain.items import ItemKind


class TaskKind(StrEnum):
    """What a control asks; decides which model family learns it."""

    SINGLE = "classification"
    MULTI = "multilabel"
    DETECTION = "detection"


@dataclass(frozen=True, slots=True)
class ControlTag:
    """A tag of the labeling config whose results are answers to a control.

    Attributes:
        name: the `from_name` of its results.
        stored: what results hold for each label: its name, or its path where choices are nested.
        geometry: names of the `Rectangle` tags that draw for a `Labels` tag; empty for
            `RectangleLabels`, whose results hold both.
        is_nested: whether results hold paths.
    """

    name: ControlName
    stored: Mapping[Label, tuple[str, ...]]
    geometry: tuple[str, ...] = ()
    is_nested: bool = False


@dataclass(frozen=True, slots=True)
class ShowWhen:
    """A condition under which the editor shows a control (`visibleWhen`).

    Attributes:
        control: the question that decides; None for any `Choices`.
        labels: one of them must be chosen; None for any label.
        negated: whether the control shows where that is not so (`choice-unselected`).
    """

    control: ControlName | None
    labels: frozenset[Label] | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """One question about an image, as the labeling config states it.

    Attributes:
        name: of its tag; joined by `+` if several tags draw rectangles on one image.
        image: name of the `Image`, `Text` or `HyperText` tag it is about.
        labels: the stored values, in the config's order: where a tag has an `alias`, Label Studio
            stores the alias. Nested choices are joined by ` > `.
        outside_names: maps a pretrained model's class name to a label (`predicted_values`).
        tags: where its answers are read and written; empty for one tag of the same name.
        shown_when: all must hold, or the question is hidden.
        required: whether nobody can submit without an answer to it.
    """

    name: ControlName
    image: str
    kind: TaskKind
    labels: tuple[Label, ...]
    outside_names: Mapping[str, Label] = field(default_factory=dict[str, Label])
    tags: tuple[ControlTag, ...] = ()
    shown_when: tuple[ShowWhen, ...] = ()
    required: bool = False

    @property
    def own_tags(self) -> tuple[ControlTag, ...]:
        """The tags that its results may name; at least one."""
        return self.tags or (ControlTag(self.name, {label: (label,) for label in self.labels}),)

    @property
    def is_drawn(self) -> bool:
        """Whether answers are rectangles."""
        return self.kind is TaskKind.DETECTION

    def prefixed(self, labels: Collection[Label]) -> "Control":
        """Put the control's name before these labels, as in `tools/other`."""

        def apart(label: Label) -> Label:
            return Label(f"{self.name}/{label}") if label in labels else label

        stored = [{apart(one): held for one, held in tag.stored.items()} for tag in self.own_tags]
        return replace(
            self,
            labels=tuple(map(apart, self.labels)),
            outside_names={name: apart(label) for name, label in self.outside_names.items()},
            tags=tuple(
                replace(tag, stored=held) for tag, held in zip(self.own_tags, stored, strict=True)
            ),
        )


@dataclass(frozen=True, slots=True)
class ImageTag:
    """An object tag: its name, and the template of its value, such as `$image`.

    Attributes:
        kind: what it shows.
        is_address: whether the value is the address of the content; otherwise it is the content.
    """

    name: str
    value: str
    kind: ItemKind = ItemKind.IMAGE
    is_address: bool = True


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """What a labeling config asks about the images, or the texts, of a task.

    Attributes:
        data_key: column of the task's data that holds the first image.
        warnings: name the controls that are not learned, and why.
        unlearned: those controls alone, such as `<TextArea name='note'>`.
        images: those that some control is about, the first one first.
        unlearned_names: the names of the controls in `unlearned`.
    """

    data_key: str
    controls: tuple[Control, ...]
    warnings: tuple[str, ...] = ()
    unlearned: tuple[str, ...] = ()
    images: tuple[ImageTag, ...] = ()
    unlearned_names: frozenset[str] = frozenset()

    @property
    def items(self) -> ItemKind:
        """What the controls are about."""
        return self.images[0].kind if self.images else ItemKind.IMAGE

    @property
    def names(self) -> frozenset[str]:
        """The names that results may come from."""
        tags = (tag for control in self.controls for tag in control.own_tags)
        return self.unlearned_names.union(*((tag.name, *tag.geometry) for tag in tags))

    def control(self, name: str) -> Control | None:
        return next((control for control in self.controls if control.name == name), None)

    def shown(self, answers: Mapping[ControlName, Answer]) -> frozenset[ControlName]:
        """Return the controls that the editor shows beside these answers.

        Answers to hidden controls do not count, so a chain of questions ends with the first one
        that is hidden.
        """
        return frozenset(
            control.name for control in self.controls if self._is_shown(control, answers, ())
        )

    def _is_shown(
        self,
        control: Control,
        answers: Mapping[ControlName, Answer],
        above: tuple[ControlName, ...],
    ) -> bool:
        if control.name in above:  # the config asks in a circle
            return False
        return all(
            self._holds(condition, answers, (*above, control.name))
            for condition in control.shown_when
        )

    def _holds(
        self,
        condition: ShowWhen,
        answers: Mapping[ControlName, Answer],
        above: tuple[ControlName, ...],
    ) -> bool:
        asked = [
            control
            for control in self.controls
            if control.kind is not TaskKind.DETECTION
            and condition.control in (None, control.name)
            and self._is_shown(control, answers, above)
        ]
        chosen = {
            label for one in asked if one.name in answers for label in answers[one.name].labels
        }
        wanted = chosen if condition.labels is None else chosen & condition.labels
        return bool(wanted) is not condition.negated
