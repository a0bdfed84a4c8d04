"""Extraction of features: order, caching, equal images, progress and stopping."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.domain import large_arrays
from backend.domain.answers import ImageRef
from backend.domain.errors import NoWeights, Stopped, UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import TaskId
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.mapped_files import mapped
from tests.fakes.steps import quiet


@pytest.fixture(autouse=True, params=["in memory", "in a file"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where features lie."""
    if request.param == "in a file":
        monkeypatch.setattr(large_arrays, "IN_MEMORY", 0)


@pytest.fixture
def encoder() -> MeanColour:
    return MeanColour()


@pytest.fixture
def files() -> Iterator[FakeImageFiles]:
    files = FakeImageFiles()
    yield files
    files.gate.set()


def test_order_is_kept_and_nothing_shifts_around_bad_images(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    refs = [painted(tmp_path, number) for number in range(40)]
    Path(refs[3].uri).write_bytes(b"")
    Path(refs[17].uri).write_bytes(b"not an image")
    files.gone.add(refs[39].uri)

    images, unreadable = extractor_of(tmp_path, files, encoder).extract(refs, quiet)

    assert [one.task for one in unreadable] == [3, 17, 39]
    assert ["empty" in unreadable[0].reason, unreadable[2].reason] == [True, "404"]
    assert images.tasks == tuple(n for n in range(40) if n not in {3, 17, 39})
    assert images.image_stats[:, 1].tolist() == [10 + task for task in images.tasks]
    red = images.features[:, 0] / images.features[:, 1]
    assert np.allclose(red, [task / (255 - task) for task in images.tasks], atol=0.01)
    assert images.features.dtype == np.float16
    assert max(encoder.batches) <= encoder.batch


def test_many_features_lie_in_a_file_without_a_name(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_arrays, "IN_MEMORY", 0)
    refs = [painted(tmp_path, number) for number in range(40)]

    images, _ = extractor_of(tmp_path, files, encoder).extract(refs, quiet)

    assert mapped(tmp_path).size >= images.features.nbytes
    assert images.take(range(0, 40, 2)).features.tolist() == images.features[::2].tolist()
    assert not list(tmp_path.rglob("scratch/*"))


def test_a_second_extraction_computes_only_what_is_new(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    refs = [painted(tmp_path, number) for number in range(12)]
    first, _ = extractor_of(tmp_path, files, encoder).extract(refs[:10], quiet)

    again, _ = extractor_of(tmp_path, files, encoder).extract(refs, quiet)

    assert encoder.seen == 12
    assert (again.features[:10] == first.features).all()
    assert (again.image_stats[:10] == first.image_stats).all()


def test_equal_images_are_embedded_once(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    path = painted(tmp_path, 5).uri
    refs = [ImageRef(TaskId(number), path) for number in range(30)]

    images, _ = extractor_of(tmp_path, files, encoder).extract(refs, quiet)

    assert encoder.seen == 1
    assert images.tasks == tuple(range(30))
    assert (images.features == images.features[0]).all()


def test_an_equal_image_at_another_address_may_still_be_had(
    tmp_path: Path, encoder: MeanColour
) -> None:
    refs = [painted(tmp_path, 5), ImageRef(TaskId(6), str(tmp_path / "copy.png"))]
    Path(refs[1].uri).write_bytes(Path(refs[0].uri).read_bytes())

    class LosesTheFirst(FakeImageFiles):
        def path(self, ref: ImageRef) -> Path:
            return tmp_path / "gone.png" if ref.task == 5 else super().path(ref)

    images, unreadable = extractor_of(tmp_path, LosesTheFirst(), encoder).extract(refs, quiet)

    assert images.tasks == (6,)
    assert [one.task for one in unreadable] == [5]


def test_no_images_give_an_empty_batch(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    images, unreadable = extractor_of(tmp_path, files, encoder).extract([], quiet)

    assert (len(images), list(unreadable)) == (0, [])


def test_stop_ends_the_extraction_and_every_thread(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    before = set(threading.enumerate())
    refs = [painted(tmp_path, number) for number in range(60)]

    def stop_midway(step: str, done: int, of: int, detail: str = "") -> None:
        if done:
            raise Stopped

    with pytest.raises(Stopped):
        extractor_of(tmp_path, files, encoder).extract(refs, stop_midway)

    assert set(threading.enumerate()) <= before


def test_progress_is_reported_while_an_image_is_slow_to_arrive(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    files.gate.clear()
    refs = [painted(tmp_path, number) for number in range(3)]
    reported: list[tuple[int, int]] = []

    def progress(step: str, done: int, of: int, detail: str = "") -> None:
        reported.append((done, of))
        if reported.count((1, 3)) == 3:
            files.gate.set()

    extractor = extractor_of(tmp_path, files, encoder)
    images, _ = extractor.extract(refs, progress)

    assert len(images) == 3
    assert reported[-1] == (3, 3)
    assert extractor.timings()["fetch"] > 0.5


def test_what_was_done_to_images_is_counted(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    refs = [painted(tmp_path, number) for number in range(3)]
    for ref in refs[:2]:
        Image.new("RGBA", (5, 5), (0, 0, ref.task, 100)).save(ref.uri)
    extractor = extractor_of(tmp_path, files, encoder)

    extractor.extract(refs, quiet)

    assert extractor.notes() == {"composited_over_white": 2}

    extractor.extract(refs[1:], quiet)

    assert extractor.notes() == {"composited_over_white": 2}, "each image counts once"


def test_missing_weights_end_the_extraction(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    extractor = extractor_of(tmp_path, files, encoder)

    def no_weights() -> MeanColour:
        raise NoWeights("no weights", "Set AUTOLABEL_BACKBONE_WEIGHTS")

    extractor.named(extractor.backbone).encoder = no_weights

    with pytest.raises(NoWeights):
        extractor.extract([painted(tmp_path, 1)], quiet)


def test_no_file_is_handed_out_that_must_not_be_decoded(
    tmp_path: Path, files: FakeImageFiles, encoder: MeanColour
) -> None:
    extractor = extractor_of(tmp_path, files, encoder)
    Image.new("L", (1500, 1000)).save(tmp_path / "large.png")
    large = ImageRef(TaskId(1), str(tmp_path / "large.png"))
    for use in (
        lambda: extractor.fetch(large),
        lambda: extractor.fetch_augmented(large, 19, tmp_path),
        lambda: extractor.box_statistics(large, [Box(0, 0, 1, 1)]),
        lambda: extractor.write_preview(large, tmp_path / "preview.jpg"),
    ):
        with pytest.raises(UnreadableImage, match="2 megapixels, over 1"):
            use()
