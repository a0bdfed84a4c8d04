"""What people decide on the review page about predicted images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean

from backend.domain.answers import Answer, Answers, Choices, Prediction, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId, VersionName

Changes = Mapping[int, tuple[Label, ...]]
"""New labels of a predicted image, by the position of the part that they replace."""


class ReviewVerdict(StrEnum):
    """What a person said of a prediction."""

    OPEN = "open"
    """Nothing yet, or not any more."""
    CONFIRMED = "confirmed"
    WRONG = "wrong"
    RELABELED = "relabeled"


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """What is decided about one image; `changes` where it gets other labels."""

    verdict: ReviewVerdict
    changes: Changes = field(default_factory=dict[int, tuple[Label, ...]])


OPEN = ReviewDecision(ReviewVerdict.OPEN)


@dataclass(frozen=True, slots=True)
class ReviewScreen:
    """The images that a person decided about at once, under a name that the browser chose."""

    name: str
    version: VersionName
    reviewer: str
    decisions: Mapping[TaskId, ReviewDecision]


@dataclass(frozen=True, slots=True)
class ReviewImage:
    """A predicted image in the index of the review page, with the confidence in each label."""

    task: TaskId
    score: float
    labels: Mapping[Label, float]


@dataclass(frozen=True, slots=True)
class ReviewLabel:
    """A predicted label: the number of undecided images that have it, and the mean confidence."""

    label: Label
    images: int
    confidence: float


@dataclass(frozen=True, slots=True)
class UnsavedReview:
    """A decision that is not in Label Studio yet.

    Attributes:
        task: the image.
        version: whose prediction was decided about.
        wanted: what the person decided last.
        saved: the decision that Label Studio shows.
        annotation: the one that we made for the saved decision.
        batch: name of a bulk call that was begun and whose outcome is not known.
    """

    task: TaskId
    version: VersionName
    wanted: ReviewDecision
    saved: ReviewDecision = OPEN
    annotation: int | None = None
    batch: str = ""


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """How many decisions wait to be saved, how many are saved, and what could not be saved."""

    unsaved: int
    saved: int
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReviewPart:
    """One choice, or one rectangle with its labels, of a predicted image."""

    control: ControlName
    labels: tuple[Label, ...]
    box: Box | None = None


def confidence(prediction: Prediction) -> float:
    """Return the mean confidence in the labels of an image's rectangles, as the label table has it.

    That of the whole image where there are none: it is near 0 for many rectangles, of which one is
    likely to need an edit.
    """
    found: dict[Label, list[float]] = {}
    for answer in prediction.answers.values():
        for region in answer.regions if isinstance(answer, Regions) else ():
            if region.score is not None:
                found.setdefault(region.label, []).append(region.score)
    return fmean(map(fmean, found.values())) if found else prediction.score


def parts(answers: Answers) -> list[ReviewPart]:
    """Return the parts of an answer, in the order in which Label Studio gets them."""
    found: list[ReviewPart] = []
    for control, answer in answers.items():
        if isinstance(answer, Choices):
            found.append(ReviewPart(control, answer.labels))
            continue
        found += (
            ReviewPart(control, labels, box) for box, labels in _by_box(answer.regions).items()
        )
    return found


def corrected(answers: Answers, changes: Changes) -> dict[ControlName, Answer]:
    """Return the answers with the labels of some parts replaced; a part left without goes away."""
    given: dict[ControlName, Answer] = {
        control: Choices(()) if isinstance(answer, Choices) else Regions(())
        for control, answer in answers.items()
    }
    for position, part in enumerate(parts(answers)):
        labels = changes.get(position, part.labels)
        before = given[part.control]
        if isinstance(before, Regions) and part.box is not None:
            added = tuple(Region(part.box, label) for label in labels)
            given[part.control] = Regions((*before.regions, *added))
        else:
            given[part.control] = Choices(labels)
    return given


def _by_box(regions: Sequence[Region]) -> Mapping[Box, tuple[Label, ...]]:
    found: dict[Box, tuple[Label, ...]] = {}
    for region in regions:
        found[region.box] = (*found.get(region.box, ()), region.label)
    return found
