"""The vocabulary: frozen values, valid by construction.

A *task* is one image in Label Studio; a *control* is one question about it (one `Choices` or
`RectangleLabels` tag); an *answer* is what a person or a model says to one control.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId, VersionName

# --- what is asked -----------------------------------------------------------------------------


# --- what is answered --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A task and the address of its image, as it is in the task's data."""

    task: TaskId
    uri: str


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


@dataclass(frozen=True, slots=True)
class LabeledImage:
    """An image with the answers of a person, by control.

    `repairs` counts the corrections made when the annotation was read, by kind, such as
    `{"clipped": 1}`. `by_person` says that a person submitted or changed the annotation; it is
    False for one that was imported or made from a prediction. `blind` says that it was not made
    from a prediction. `annotation` is its id, `changed` the time of its last change as Label Studio
    writes it.
    """

    image: ImageRef
    answers: Mapping[ControlName, Answer]
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    by_person: bool = False
    blind: bool = True
    annotation: int = 0
    changed: str = ""


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

    `score` is the calibrated confidence that the whole answer needs no edit, in [0, 1].
    """

    image: ImageRef
    answers: Mapping[ControlName, Answer]
    score: float
    version: VersionName
    size: tuple[int, int] = (0, 0)
    hard: HardExample | None = None
    cluster: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"score of task {self.image.task} is not in [0, 1]: {self.score}")


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
