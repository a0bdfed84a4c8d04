"""The vocabulary: frozen values, valid by construction.

A *task* is one image or text in Label Studio; a *control* is one question about it (one `Choices`
or `RectangleLabels` tag); an *answer* is what a person or a model says to one control.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId, VersionName
from backend.domain.items import ItemKind

# --- what is asked -----------------------------------------------------------------------------


# --- what is answered --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A task and the address of its image or text, as it is in the task's data.

    `others` are the addresses of further ones of the task, where controls are about several. A text
    that the task's data holds is in its address itself (`domain.texts`).
    """

    task: TaskId
    uri: str
    others: tuple[str, ...] = ()
    kind: ItemKind = ItemKind.IMAGE

    def at(self, position: int) -> "ImageRef":
        """Return one image of the task; 0 is this one, with the others."""
        if not position:
            return self
        return ImageRef(self.task, self.others[position - 1], kind=self.kind)


@dataclass(frozen=True, slots=True)
class Choices:
    """The labels of a whole image. Without any label it is an answer too if several are allowed."""

    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """One labeled rectangle; `score` is a model's confidence in it, None for a person's."""

    box: Box
    label: Label
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Regions:
    """All rectangles of an image. An empty one is an answer too: nothing is in the image."""

    regions: tuple[Region, ...]

    @property
    def labels(self) -> tuple[Label, ...]:
        """Each label once, in order of first appearance."""
        return tuple(dict.fromkeys(region.label for region in self.regions))


Answer = Choices | Regions
Answers = Mapping[ControlName, Answer]
"""The answers to all questions about one image, by control."""


class Gap(StrEnum):
    """Why an annotation answers a control not at all, although people labeled its image."""

    UNKNOWN_LABEL = "unknown_label"
    """It uses labels that are not in the labeling config."""
    NO_LABEL = "no_label"
    """It has a region or choice without a label."""
    UNKNOWN_CONTROL = "unknown_control"
    """It has results of a control that is not in the labeling config."""
    OTHER_IMAGE = "other_image"
    """It has results on another image than the control's."""
    OTHER_SHAPE = "other_shape"
    """It labels shapes that are no rectangles, or answers a question about single regions."""
    NO_AREA = "no_area"
    """Its regions have no area inside the image."""
    HIDDEN_ANSWERS = "hidden_answers"
    """It answers a question that the editor hides beside its other answers."""
    OTHER_QUESTIONS = "other_questions"
    """It answers other questions and has no rectangle."""
    SEVERAL_LABELS = "several_labels"
    """It has several labels where the labeling config allows one."""
    DISAGREEMENT = "disagreement"
    """Several people annotated the image, and no answer has the most votes."""
    NOT_ASKED = "not_asked"
    """The question is hidden, or nobody answered it. Nothing is wrong with that."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why a control has no answer; `names` are the labels or controls that caused it."""

    gap: Gap
    names: tuple[str, ...] = ()


def number_of_boxes(answer: Answer) -> int:
    """Return how many rectangles an answer has; 0 for labels of the whole image."""
    return len(answer.regions) if isinstance(answer, Regions) else 0


@dataclass(frozen=True, slots=True)
class LabeledImage:
    """An image with the answers of people, by control.

    Each control of the config is either in `answers` or in `unanswered`.

    `repairs` counts the corrections made when the annotations were read, by kind, such as
    `{"clipped": 1}`. `by_person` says that a person submitted or changed an annotation; it is
    False for one that was imported or made from a prediction. `blind` says that none was made
    from a prediction. `annotation` is the id of the newest one that counts,
    `changed` the time of its last change as Label Studio writes it.
    """

    image: ImageRef
    answers: Mapping[ControlName, Answer]
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    by_person: bool = False
    blind: bool = True
    annotation: int = 0
    changed: str = ""
    unanswered: Mapping[ControlName, Unanswered] = field(
        default_factory=dict[ControlName, Unanswered]
    )


@dataclass(frozen=True, slots=True)
class HardExample:
    """A prediction to check first: `coefficient` in [0, 1], reasons as (number, words).

    Numbers are those of ModelArts' `hard_reasons` where they exist.
    """

    task: TaskId
    coefficient: float
    reasons: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """For people: `hard 0.81: low confidence (0.41); nothing found`."""
        words = "; ".join(words for _, words in self.reasons)
        return f"hard {self.coefficient:.2f}: {words}" if words else f"hard {self.coefficient:.2f}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answers to one image.

    `score` is the calibrated confidence that the whole answer needs no edit, in [0, 1]. `size` is
    that of the task's first image, `sizes` those of the others by name.
    """

    image: ImageRef
    answers: Mapping[ControlName, Answer]
    score: float
    version: VersionName
    size: tuple[int, int] = (0, 0)
    hard: HardExample | None = None
    cluster: int | None = None
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"score of task {self.image.task} is not in [0, 1]: {self.score}")

    def size_of(self, image: str) -> tuple[int, int]:
        """Return width and height of one of the task's images, in pixels."""
        return self.sizes.get(image, self.size)


@dataclass(frozen=True, slots=True)
class NoPrediction:
    """Stands in for a missing prediction, so that results keep their positions.

    `transient`: only its server or the network failed, so nothing follows from the absence of
    the image. `fault` is the reason without the address of the image, where that has one.
    """

    task: TaskId
    reason: str
    transient: bool = False
    fault: str = ""


# --- models and jobs ---------------------------------------------------------------------------
