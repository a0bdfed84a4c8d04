"""Augmented copies of images, and how the cache keeps them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.domain.ids import TaskId
from backend.models.embedding.augmentations import (
    AUGMENT,
    augmented_file,
    blurred,
    cropped,
    mirrored,
)
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet

BLURRED, MIRRORED, CROPPED = 19, 20, 21


class LeftColour(MeanColour):
    """Embeds the left half of an image only."""

    def embed(self, images):
        return super().embed(images[:, :, : images.shape[2] // 2])


def two_coloured(folder: Path, number: int) -> ImageRef:
    """Red on the left, blue on the right."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30, 0] = 255
    pixels[:, 30:, 2] = 255 - number
    path = folder / f"{number}.png"
    Image.fromarray(pixels).save(path)
    return ImageRef(TaskId(number), str(path))


@pytest.mark.parametrize("number", list(AUGMENT))
def test_an_augmentation_keeps_the_shape(number):
    image = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    augmented = AUGMENT[number](image)
    assert (augmented.shape, augmented.dtype) == (image.shape, np.uint8)
    assert (augmented != image).any()


def test_a_blur_lowers_contrast_and_keeps_the_mean():
    image = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    assert blurred(image).std() < image.std() / 2
    assert blurred(image).mean() == pytest.approx(image.mean(), abs=2)


def test_mirroring_twice_restores_the_image():
    image = np.random.default_rng(0).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    assert (mirrored(mirrored(image)) == image).all()
    assert (mirrored(image)[:, 0] == image[:, -1]).all()


def test_a_crop_takes_the_border_away():
    image = np.zeros((100, 100, 3), np.uint8)
    image[:3] = 255
    assert image.any()
    assert not cropped(image).any()


def test_augmented_images_are_embedded_once_and_cached_beside_their_originals(tmp_path):
    refs = [two_coloured(tmp_path, number) for number in range(6)]
    encoder = LeftColour()
    extractor = extractor_of(tmp_path, FakeImageFiles(), encoder)
    plain, _ = extractor.extract(refs, quiet)

    augmented, unreadable = extractor.extract_augmented(refs, MIRRORED, quiet)

    assert unreadable == []
    assert augmented.tasks == plain.tasks
    assert plain.features[:, 0].tolist() == [1.0] * 6
    assert augmented.features[:, 2].tolist() == [1.0] * 6
    seen = encoder.seen
    again, _ = extractor.extract_augmented(refs, MIRRORED, quiet)
    assert (again.features == augmented.features).all()
    assert (extractor.extract(refs, quiet)[0].features == plain.features).all()
    assert encoder.seen == seen == 12


def test_an_image_that_is_gone_is_reported_as_unreadable(tmp_path):
    refs = [painted(tmp_path, number) for number in range(3)]
    extractor = extractor_of(tmp_path, FakeImageFiles(gone=[refs[1].uri]), MeanColour())
    augmented, unreadable = extractor.extract_augmented(refs, BLURRED, quiet)
    assert augmented.tasks == (0, 2)
    assert [one.task for one in unreadable] == [1]


def test_an_augmented_file_is_upright_and_augmented(tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30] = 255
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[274] = 3  # upside down
    Image.fromarray(pixels).save(turned, exif=exif)

    copy = augmented_file(turned, MIRRORED, tmp_path / "copy.png")

    left = cv2.imread(str(copy))[:, :25]
    assert left.mean() > 250, "white stood right after turning, and left in the mirror"


def test_an_extractor_writes_augmented_copies_into_the_folder(tmp_path):
    ref = painted(tmp_path, 5)
    extractor = extractor_of(tmp_path, FakeImageFiles(), MeanColour())
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = extractor.fetch_augmented(ref, CROPPED, folder)
    assert copy.parent == folder
    with Image.open(copy) as altered, Image.open(ref.uri) as original:
        assert altered.size == original.size


def test_a_file_that_is_no_image_cannot_be_augmented(tmp_path):
    (tmp_path / "no.png").write_bytes(b"not an image")
    with pytest.raises(UnreadableImage):
        augmented_file(tmp_path / "no.png", BLURRED, tmp_path / "copy.png")
