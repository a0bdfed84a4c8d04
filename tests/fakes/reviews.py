"""The review page in front of a Label Studio in memory; its thumbnails are gray squares."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from backend.domain.answers import Choices, ImageRef, Prediction, Region, Regions
from backend.domain.errors import UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.reviews import ReviewImage
from backend.services.reviewing import Reviewing
from backend.stores.project_folders import ProjectFolders
from backend.stores.reviews import ReviewFiles
from tests.fakes.domain import NOW
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.ledgers import FakeLedgers

VERSION = VersionName("al-0001-3f9c")
LEFT, RIGHT = Box(0.1, 0.1, 0.4, 0.5), Box(0.5, 0.2, 0.9, 0.8)


class FakeThumbnails:
    """Implements `ports.reviews.Thumbnails`; images of an empty address cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, project: ProjectId, ref: ImageRef) -> Path:
        if not ref.uri:
            raise UnreadableImage("the task has no image")
        path = self._folder / f"thumbnail-{ref.task}.jpg"
        Image.new("RGB", (64, 48), (90, 90, 90)).save(path)
        return path


def no_review() -> Reviewing:
    """Nothing was predicted yet."""
    nowhere = Path("/nonexistent")
    reviews = ReviewFiles(nowhere, lambda: NOW)
    return Reviewing(
        FakeLabelStudio(), reviews, FakeLedgers(), FakeThumbnails(nowhere), ProjectFolders(nowhere)
    )


def a_review(folder: Path, project: ProjectId, images: int = 30) -> Reviewing:
    """Predictions of `VERSION`, the first the surest; images with an odd number show a dog."""
    folder.mkdir(parents=True, exist_ok=True)
    people = {TaskId(task): None for task in range(1, images + 1)}
    label_studio = FakeLabelStudio(people=dict(people))
    label_studio.known[project] = label_studio.known[ProjectId(1)]
    reviews = ReviewFiles(folder, lambda: NOW)
    indexed: list[ReviewImage] = []
    for task in people:
        label, score = Label("dog" if task % 2 else "cat"), 1 - task / (images + 1)
        answers = {ControlName("c"): Choices((label,))}
        one = Prediction(label_studio.ref(task), answers, score, VERSION)
        label_studio.predictions[task, VERSION] = one
        indexed.append(ReviewImage(task, score, {label: score}))
    reviews.index(project, VERSION, indexed)
    return Reviewing(
        label_studio, reviews, FakeLedgers(), FakeThumbnails(folder), ProjectFolders(folder)
    )


def a_review_of_boxes(folder: Path, project: ProjectId, images: int = 12) -> Reviewing:
    """Two rectangles an image, a cat and a dog; nothing on every third image."""
    review = a_review(folder, project, images)
    regions = (Region(LEFT, Label("cat"), 0.9), Region(RIGHT, Label("dog"), 0.5))
    label_studio = review.label_studio
    assert isinstance(label_studio, FakeLabelStudio)
    for (task, version), one in label_studio.predictions.items():
        answers = {ControlName("c"): Regions(regions if task % 3 else ())}
        label_studio.predictions[task, version] = replace(one, answers=answers)
    return review
