"""What every implementation of `backend.ports.images.ImageModels` does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import TaskId
from backend.ports.images import ImageModels
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.steps import quiet

GONE, BLURRED = TaskId(2), 19


@pytest.fixture
def refs(tmp_path: Path) -> Sequence[ImageRef]:
    """Five images in an order of their own, of which task 2 cannot be read."""
    return [painted(tmp_path, number) for number in (4, 2, 1, 3, 5)]


@pytest.fixture(params=["fake", "caching"])
def extractor(
    request: pytest.FixtureRequest, tmp_path: Path, refs: Sequence[ImageRef]
) -> ImageModels:
    if request.param == "fake":
        return FakeFeatureExtractor(bad={GONE: "404"})
    return extractor_of(tmp_path, FakeImageFiles(gone=[refs[1].uri]), MeanColour())


def test_readable_images_keep_their_order_and_the_others_have_a_reason(
    extractor: ImageModels, refs: Sequence[ImageRef]
):
    images, unreadable = extractor.extract(refs, quiet)
    assert images.tasks == (4, 1, 3, 5)
    assert [(one.task, one.reason) for one in unreadable] == [(GONE, "404")]
    assert images.features.dtype == np.float16
    assert len(images.features) == len(images.image_stats) == 4
    assert np.allclose(np.linalg.norm(images.features.astype(np.float64), axis=1), 1, atol=0.01)


def test_features_do_not_depend_on_what_else_is_asked_for(
    extractor: ImageModels, refs: Sequence[ImageRef]
):
    all_images, _ = extractor.extract(refs, quiet)
    (alone,) = extractor.extract([refs[3]], quiet)[0].features
    assert (all_images.features[2] == alone).all()


def test_nothing_asked_is_nothing_answered(extractor: ImageModels):
    images, unreadable = extractor.extract([], quiet)
    assert (len(images), list(unreadable)) == (0, [])


def test_augmented_copies_come_in_the_same_order(extractor: ImageModels, refs: Sequence[ImageRef]):
    images, unreadable = extractor.extract_augmented(refs, BLURRED, quiet)
    assert images.tasks == (4, 1, 3, 5)
    assert [one.task for one in unreadable] == [GONE]


def test_an_unreadable_image_cannot_be_opened_or_measured(
    extractor: ImageModels, refs: Sequence[ImageRef], tmp_path: Path
):
    for work in (
        extractor.fetch,
        lambda ref: extractor.fetch_augmented(ref, BLURRED, tmp_path),
        lambda ref: extractor.box_statistics(ref, [Box(0, 0, 1, 1)]),
    ):
        with pytest.raises(UnreadableImage):
            work(refs[1])
        work(refs[0])


def test_a_report_can_name_the_backbone_and_the_seconds_spent(
    extractor: ImageModels, refs: Sequence[ImageRef]
):
    extractor.extract(refs, quiet)
    assert extractor.backbone
    assert extractor.device == "cpu"
    assert set(extractor.timings()) == {"fetch", "embed"}
    assert extractor.notes() == {}
    assert extractor.remarks(extractor.backbone)
    assert extractor.uncached(refs[:1], extractor.backbone) == 0
