"""What every implementation of `backend.ports.images.ImageModels` does."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import TaskId
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.models.texts.reading import NO_TEXT
from backend.ports.images import ImageModels
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.steps import quiet
from tests.fakes.texts import text_models, text_ref

GONE, BLURRED = TaskId(2), 19


ORDER = (4, 2, 1, 3, 5)
"""Of five items; task 2 cannot be read."""

OF_IMAGES = pytest.mark.parametrize(
    "extractor", ["fake", "caching", "images of both"], indirect=True
)
"""What texts have no use for."""


@pytest.fixture(params=["fake", "caching", "images of both", "texts of both"])
def extractor(request: pytest.FixtureRequest, tmp_path: Path) -> ImageModels:
    match request.param:
        case "fake":
            return FakeFeatureExtractor(bad={GONE: "404"})
        case "caching":
            files = FakeImageFiles(gone=[str(tmp_path / f"{GONE}.png")])
            return extractor_of(tmp_path, files, MeanColour())
        case "images of both":
            fake = FakeFeatureExtractor(bad={GONE: "404"})
            return replace(text_models(tmp_path), images=fake)
        case _:
            return text_models(tmp_path)


@pytest.fixture
def refs(tmp_path: Path, request: pytest.FixtureRequest) -> Sequence[ImageRef]:
    if "texts of both" in request.node.name:
        return [text_ref(task, "" if task == GONE else None) for task in ORDER]
    return [painted(tmp_path, task) for task in ORDER]


def test_readable_images_keep_their_order_and_the_others_have_a_reason(
    extractor: ImageModels, refs: Sequence[ImageRef]
):
    images, unreadable = extractor.extract(refs, quiet)
    assert images.tasks == (4, 1, 3, 5)
    assert [one.task for one in unreadable] == [GONE]
    assert unreadable[0].reason in {"404", NO_TEXT}
    assert images.features.dtype == np.float16
    assert len(images.features) == len(images.image_stats) == 4
    assert np.allclose(np.linalg.norm(images.features.astype(np.float64), axis=1), 1, atol=0.01)


def test_features_do_not_depend_on_what_else_is_asked_for(
    extractor: ImageModels, refs: Sequence[ImageRef]
):
    all_images, _ = extractor.extract(refs, quiet)
    (alone,) = extractor.extract([refs[3]], quiet, all_images.backbone)[0].features
    assert (all_images.features[2] == alone).all()


def test_nothing_asked_is_nothing_answered(extractor: ImageModels):
    images, unreadable = extractor.extract([], quiet)
    assert (len(images), list(unreadable)) == (0, [])


@OF_IMAGES
def test_where_no_features_are_needed_only_the_sizes_are_read(
    extractor: ImageModels, refs: Sequence[ImageRef]
):
    embedded, _ = extractor.extract(refs, quiet)
    images, unreadable = extractor.without_features(refs, quiet)
    assert images.refs == embedded.refs
    assert [one.task for one in unreadable] == [GONE]
    assert [images.size(row) for row in range(4)] == [embedded.size(row) for row in range(4)]
    assert images.features.shape == (4, 0)
    nothing, none = extractor.without_features([], quiet)
    assert (len(nothing), list(none)) == (0, [])


@OF_IMAGES
def test_augmented_copies_come_in_the_same_order(extractor: ImageModels, refs: Sequence[ImageRef]):
    images, unreadable = extractor.extract_augmented(refs, BLURRED, quiet)
    assert images.tasks == (4, 1, 3, 5)
    assert [one.task for one in unreadable] == [GONE]


@OF_IMAGES
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
    images, _ = extractor.extract(refs, quiet)
    assert extractor.backbone and images.backbone
    assert extractor.device == "cpu"
    assert set(extractor.timings()) == {"fetch", "embed"}
    assert extractor.notes() == {}
    assert extractor.remarks(extractor.backbone)
    assert extractor.uncached(refs[:1], images.backbone) == 0


def test_an_encoder_of_the_settings_is_chosen_for_images_and_for_texts(extractor: ImageModels):
    for items in ItemKind:
        assert extractor.choose({TaskKind.SINGLE}, Algorithm.FAST, items)


def test_the_encoder_of_a_model_goes_with_it(
    extractor: ImageModels, refs: Sequence[ImageRef], tmp_path: Path
):
    images, _ = extractor.extract(refs, quiet)
    extractor.save_encoder(images.backbone, tmp_path)
    extractor.load_encoder(images.backbone, tmp_path)
    again, _ = extractor.extract(refs, quiet, images.backbone)
    assert (again.features == images.features).all()
