"""The size that the header of a file tells is that of the decoded image."""

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from backend.domain.answers import ImageRef
from backend.domain.ids import TaskId
from backend.models.images.sizes import without_features
from backend.models.images.thumbnails import decode
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet


@pytest.mark.parametrize("ending", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_size_is_that_of_the_upright_image(tmp_path: Path, ending: str, orientation: int):
    path = tmp_path / f"image.{ending}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (40, 30), "red").save(path, exif=exif)
    images, unreadable = without_features(
        [ImageRef(TaskId(1), str(path))], FakeImageFiles(), 80, quiet
    )
    assert not unreadable
    assert images.size(0) == tuple(decode(path, 32, 80).image_stats[:2])
    assert images.size(0) == ((30, 40) if orientation == 6 else (40, 30))


def test_a_file_that_is_too_large_or_no_image_has_a_reason(tmp_path: Path):
    large, text = tmp_path / "large.png", tmp_path / "text.png"
    Image.new("L", (2000, 2000)).save(large)
    text.write_text("no image")
    refs = [ImageRef(TaskId(1), str(large)), ImageRef(TaskId(2), str(text))]
    images, unreadable = without_features(refs, FakeImageFiles(), 1, quiet)
    assert len(images) == 0
    assert "4 megapixels" in unreadable[0].reason
    assert "not an image" in unreadable[1].reason
