"""Labels in files beside their images: what was read from one, and what a synchronization did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backend.domain.answers import Answer
from backend.domain.ids import ControlName


@dataclass(frozen=True, slots=True)
class SideCar:
    """What a label file says about its image.

    `size` is the image's width and height in pixels where the file tells it, else (0, 0). With a
    `problem` there are no answers: half of a label file would be a wrong label.
    """

    answers: Mapping[ControlName, Answer] = field(default_factory=dict["ControlName", "Answer"])
    size: tuple[int, int] = (0, 0)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of a synchronized folder.

    Attributes:
        path: below the folder, with `/` between the parts.
        size: in bytes.
        changed: seconds since 1970.
    """

    path: str
    size: int
    changed: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left as it is, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one synchronization did.

    Attributes:
        images: image files in the folder.
        created: tasks that were made for them.
        labeled: tasks, new or without any annotation before, that got the labels of a file.
        written: label files that were written.
        skipped: files that were not understood, are too large, or are newer than the labels.
    """

    images: int = 0
    created: int = 0
    labeled: int = 0
    written: int = 0
    skipped: Sequence[Skipped] = ()
