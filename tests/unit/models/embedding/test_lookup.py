"""Images whose features are cached: looked up at once, with the results of the pipeline alone."""

import threading
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.errors import Stopped
from backend.domain.ids import TaskId
from backend.models.embedding.extractors import EncoderExtractors
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet

COUNT = 120


class ReadingFiles(FakeImageFiles):
    """Lists the tasks whose digests were asked for by way of the pipeline."""

    def __init__(self, gone: Sequence[str] = ()) -> None:
        super().__init__(gone)
        self.read: list[int] = []
        self.asked = 0

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        self.read += [ref.task for ref in refs]
        return super().digests(refs)

    def known(self, refs: Sequence[ImageRef]) -> Sequence[str | None]:
        self.asked += len(refs)
        return super().known(refs)


class UnknownFiles(FakeImageFiles):
    """Knows no digest without a request, so that every image takes the way of the pipeline."""

    def known(self, refs: Sequence[ImageRef]) -> Sequence[str | None]:
        return [None] * len(refs)


@pytest.fixture
def refs(tmp_path: Path) -> list[ImageRef]:
    return [painted(tmp_path, number) for number in range(COUNT)]


def alone(tmp_path: Path, files: FakeImageFiles) -> EncoderExtractors:
    """An extractor with a cache of its own, whose pipeline does everything."""
    folder = tmp_path / "alone"
    folder.mkdir()
    return extractor_of(folder, UnknownFiles(list(files.gone)), MeanColour())


def require_equal(one: ImageBatch, other: ImageBatch) -> None:
    assert one.refs == other.refs
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.image_stats, other.image_stats)


@pytest.mark.parametrize("augmentation", [0, 20])
def test_a_mixed_batch_gives_the_same_as_the_pipeline_alone(
    tmp_path: Path, refs: list[ImageRef], augmentation: int
) -> None:
    for ref in refs[:9]:
        Image.new("RGBA", (5, 5), (0, 0, ref.task, 100)).save(ref.uri)
    files, encoder = ReadingFiles(), MeanColour()

    def extracted(
        extractor: EncoderExtractors, some: Sequence[ImageRef]
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        if augmentation:
            return extractor.extract_augmented(some, augmentation, quiet)
        return extractor.extract(some, quiet)

    extracted(extractor_of(tmp_path, files, encoder), refs[:100])
    Path(refs[5].uri).write_bytes(Path(painted(tmp_path, 250).uri).read_bytes())  # another image
    Path(refs[17].uri).write_bytes(b"not an image")
    files.gone |= {refs[39].uri, refs[110].uri}
    numbers = count(1000)
    again = [ImageRef(TaskId(next(numbers)), ref.uri) for ref in (refs[3], refs[5], refs[3])]
    mixed = [refs[70], *again, *reversed(refs)]
    files.read.clear()
    extractor = extractor_of(tmp_path, files, encoder)

    images, unreadable = extracted(extractor, mixed)

    expected, without = extracted(reference := alone(tmp_path, files), mixed)
    require_equal(images, expected)
    assert list(unreadable) == list(without)
    assert [slot.task for slot in unreadable] == [110, 39, 17]
    assert extractor.notes() == reference.notes()
    assert bool(extractor.notes()) is not bool(augmentation)
    known = set(range(100)) - {5, 17, 39}
    assert files.read == [ref.task for ref in mixed if ref.task not in known | {1000, 1002}]


def test_a_second_round_reports_progress_and_reads_no_file(
    tmp_path: Path, refs: list[ImageRef]
) -> None:
    files, encoder = ReadingFiles(), MeanColour()
    many = refs * 5
    first, _ = extractor_of(tmp_path, files, encoder).extract(many, quiet)
    files.read.clear()
    reported: list[int] = []

    def progress(step: str, done: int, of: int, detail: str = "") -> None:
        reported.append(done)

    extractor = extractor_of(tmp_path, files, encoder)
    again, _ = extractor.extract(many, progress)

    require_equal(again, first)
    assert encoder.seen == COUNT
    assert files.read == []
    assert reported == sorted(reported)
    assert len(set(reported)) > 1 and reported[-1] == len(many)
    assert min(extractor.timings().values()) > 0


def test_a_stop_during_the_look_up_leaves_no_thread(tmp_path: Path, refs: list[ImageRef]) -> None:
    files, encoder = ReadingFiles(), MeanColour()
    extractor_of(tmp_path, files, encoder).extract(refs, quiet)
    files.read.clear()
    before = set(threading.enumerate())

    def stop(step: str, done: int, of: int, detail: str = "") -> None:
        assert set(threading.enumerate()) <= before
        raise Stopped

    with pytest.raises(Stopped):
        extractor_of(tmp_path, files, encoder).extract(refs, stop)

    assert set(threading.enumerate()) <= before
    assert files.read == []


def test_images_of_a_first_round_are_not_looked_up(tmp_path: Path, refs: list[ImageRef]) -> None:
    files = ReadingFiles()
    extractor = extractor_of(tmp_path, files, MeanColour())
    extractor.extract(refs[:2], quiet)
    files.asked = 0

    extractor.extract(refs * 10, quiet)

    assert files.asked <= 100


def test_only_what_is_not_known_is_read_to_count_what_is_not_cached(
    tmp_path: Path, refs: list[ImageRef]
) -> None:
    files, encoder = ReadingFiles(), MeanColour()
    extractor = extractor_of(tmp_path, files, encoder)
    extractor.extract(refs[:50], quiet)
    files.gone.add(refs[60].uri)
    files.read.clear()

    assert extractor.uncached([*refs[:50], *refs[:9], *refs[60:63]], extractor.backbone) == 3

    assert files.read == [60, 61, 62]
