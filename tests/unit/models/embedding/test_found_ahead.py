"""Features that are looked up before they are asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.domain.answers import ImageRef
from backend.domain.errors import Stopped
from backend.domain.ids import TaskId
from backend.models.embedding.feature_cache import Entries
from backend.models.embedding.found_ahead import FoundAhead
from backend.models.embedding.lookup import CachedRows
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet
from tests.unit.models.embedding.test_lookup import ReadingFiles, require_equal

FIRST, SECOND = "efficientnet_lite0", "efficientnet_lite2"
BOTH = f"{FIRST}+{SECOND}"
CACHED = 30


@pytest.fixture
def refs(tmp_path: Path) -> list[ImageRef]:
    for number in (2, 4):  # notes are kept of images with transparency
        painted(tmp_path, number)
        Image.new("RGBA", (5, 5), (0, 0, number, 100)).save(tmp_path / f"{number}.png")
    return [
        painted(tmp_path, number)
        if number not in (2, 4)
        else ImageRef(TaskId(number), str(tmp_path / f"{number}.png"))
        for number in range(CACHED + 5)
    ]


@pytest.mark.parametrize("backbone", [FIRST, BOTH])
def test_an_extraction_takes_what_was_found_and_reads_only_the_rest(tmp_path, refs, backbone):
    files, encoders = ReadingFiles(), (MeanColour(), MeanColour())

    def opened():
        return extractor_of(tmp_path, files, encoders[0], {SECOND: encoders[1]})

    opened().extract(refs[:CACHED], quiet, backbone)
    extractor, reference = opened(), opened()
    files.read.clear()

    extractor.look_ahead(refs, quiet, backbone)

    assert files.read == []
    assert all(one.seen == CACHED for one in encoders if one.seen)
    assert not any(extractor.timings().values())
    files.asked = 0
    mixed = [*reversed(refs), ImageRef(TaskId(99), refs[3].uri), refs[7]]
    progress: list[int] = []
    images, unreadable = extractor.extract(
        mixed, lambda _, done, of, detail="": progress.append(done), backbone
    )
    rest = [*refs[CACHED:], refs[3], refs[7]]
    assert files.asked <= 2 * len(rest) * len(backbone.split("+"))
    assert progress == sorted(progress)
    assert progress[-1] == len(mixed)

    expected, _ = reference.extract(mixed, quiet, backbone)
    require_equal(images, expected)
    assert list(unreadable) == []
    assert extractor.notes() == reference.notes() != {}


def test_what_was_found_is_taken_once(tmp_path, refs):
    files = ReadingFiles()
    extractor = extractor_of(tmp_path, files, MeanColour())
    extractor.extract(refs, quiet)
    extractor.look_ahead(refs, quiet, FIRST)
    files.asked = 0
    extractor.extract(refs[:20], quiet)
    extractor.extract(refs[20:], quiet)
    assert files.asked == 0
    extractor.extract(refs, quiet)
    assert files.asked


def test_an_image_that_changed_after_all_was_forgotten_is_read_anew(tmp_path, refs):
    files = FakeImageFiles()
    extractor = extractor_of(tmp_path, files, MeanColour())
    extractor.extract(refs, quiet)
    extractor.look_ahead(refs, quiet, FIRST)
    extractor.forget_ahead()
    Path(refs[0].uri).write_bytes(Path(painted(tmp_path, 200).uri).read_bytes())
    images, _ = extractor.extract(refs, quiet)
    require_equal(images, extractor_of(tmp_path, files, MeanColour()).extract(refs, quiet)[0])
    assert images.image_stats[0, 1] == 210


def test_copies_of_images_do_not_take_the_features_of_the_originals(tmp_path, refs):
    files = ReadingFiles()
    extractor = extractor_of(tmp_path, files, MeanColour())
    originals, _ = extractor.extract(refs, quiet)
    extractor.look_ahead(refs, quiet, FIRST)
    extractor.extract_augmented(refs, 19, quiet)
    files.asked = 0
    require_equal(extractor.extract(refs, quiet)[0], originals)
    assert files.asked == 0


def test_a_look_ahead_can_be_stopped(tmp_path, refs):
    def stop(*_: object) -> None:
        raise Stopped

    extractor = extractor_of(tmp_path, FakeImageFiles(), MeanColour())
    extractor.extract(refs, quiet)
    with pytest.raises(Stopped):
        extractor.look_ahead(refs, stop, BOTH)


def test_no_more_is_kept_than_there_is_room_for(refs):
    ahead = FoundAhead(most=3)
    assert ahead.room == 3
    ahead.keep(refs, CachedRows([5, 1, 2], [0, 1, 0], _entries(2)))
    assert ahead.room == 0
    (found,) = ahead.take([refs[2], refs[9], refs[1]])
    assert (found.rows, found.places) == ([0, 2], [0, 1])
    assert ahead.room == 2
    assert list(ahead.take(refs[:5])) == []
    assert [one.rows for one in ahead.take(refs)] == [[5]]


def test_beyond_the_room_nothing_is_looked_up(tmp_path, refs, monkeypatch):
    monkeypatch.setattr(FoundAhead, "room", 10)
    files = ReadingFiles()
    extractor = extractor_of(tmp_path, files, MeanColour())
    extractor.extract(refs, quiet)
    extractor.look_ahead(refs, quiet, FIRST)
    files.asked = 0
    extractor.extract(refs[:10], quiet)
    assert files.asked == 0
    extractor.extract(refs[10:], quiet)
    assert files.asked


def _entries(count: int) -> Entries:
    return Entries(
        [str(number) for number in range(count)],
        np.zeros((count, 4), np.float16),
        np.zeros((count, 6), np.float32),
        [0] * count,
    )
