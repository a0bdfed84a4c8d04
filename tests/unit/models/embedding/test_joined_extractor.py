"""Features of several encoders side by side, each with a cache of its own."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import large_arrays
from backend.domain.answers import ImageRef
from backend.domain.arrays import Pixels
from backend.domain.errors import BadInput
from backend.domain.ids import TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.models.embedding.encoder import Vectors
from backend.models.embedding.extractors import EncoderExtractors
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet

FIRST, SECOND = "efficientnet_lite0", "efficientnet_lite2"
BOTH = f"{FIRST}+{SECOND}"


class Position(MeanColour):
    """A second encoder of another width and side: where on a circle the red channel is."""

    side, width, batch = 16, 2, 3

    def embed(self, images: Pixels) -> Vectors:
        self.batches.append(len(images))
        angle = images[..., 0].mean(axis=(1, 2)) / 255
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float16)


@pytest.fixture(autouse=True, params=["in memory", "in a file"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where features lie."""
    if request.param == "in a file":
        monkeypatch.setattr(large_arrays, "IN_MEMORY", 0)


@pytest.fixture
def encoders() -> tuple[MeanColour, Position]:
    return MeanColour(), Position()


@pytest.fixture
def refs(tmp_path: Path) -> list[ImageRef]:
    return [painted(tmp_path, number) for number in (7, 3, 9, 250)]


def opened(
    tmp_path: Path, encoders: tuple[MeanColour, Position], files: FakeImageFiles | None = None
) -> EncoderExtractors:
    first, second = encoders
    return extractor_of(tmp_path, files or FakeImageFiles(), first, {SECOND: second})


def test_the_vectors_of_both_stand_side_by_side_and_weigh_the_same(tmp_path, encoders, refs):
    extractor = opened(tmp_path, encoders)
    one, other = (extractor.extract(refs, quiet, name)[0] for name in (FIRST, SECOND))

    both, unreadable = extractor.extract(refs, quiet, BOTH)

    assert (both.refs, list(unreadable)) == (tuple(refs), [])
    expected = np.concatenate([one.features, other.features], axis=1).astype(float) / np.sqrt(2)
    assert both.features.dtype == np.float16
    assert np.allclose(both.features, expected, atol=1e-3)
    assert np.allclose(np.linalg.norm(both.features.astype(float), axis=1), 1, atol=2e-3)
    assert [one.backbone, other.backbone, both.backbone] == [FIRST, SECOND, BOTH]
    assert (both.image_stats == one.image_stats).all()


def test_each_encoder_keeps_a_cache_of_its_own_that_all_uses_share(tmp_path, encoders, refs):
    opened(tmp_path, encoders).extract(refs[:3], quiet, FIRST)

    opened(tmp_path, encoders).extract(refs, quiet, BOTH)
    opened(tmp_path, encoders).extract(refs, quiet, f"{SECOND}+{FIRST}")

    assert [encoder.seen for encoder in encoders] == [4, 4]


def test_images_count_as_embedded_when_every_encoder_knows_them(tmp_path, encoders, refs):
    extractor = opened(tmp_path, encoders)
    extractor.extract(refs[:3], quiet, FIRST)
    extractor.extract(refs[:1], quiet, SECOND)
    copy = ImageRef(TaskId(99), refs[0].uri)

    counts = [extractor.uncached([*refs, copy], name) for name in (FIRST, SECOND, BOTH)]

    assert counts == [1, 3, 3]
    assert extractor.uncached([refs[0], copy], BOTH) == 0


def test_an_image_that_is_lost_between_two_encoders_is_lost_to_both(tmp_path, encoders, refs):
    class LostLater(FakeImageFiles):
        def digests(self, refs):
            yield from super().digests(refs)
            self.gone.add(refs[1].uri)

    images, unreadable = opened(tmp_path, encoders, LostLater()).extract(refs, quiet, BOTH)

    assert images.tasks == (7, 9, 250)
    assert images.features.shape == (3, 5)
    assert [(slot.task, slot.reason) for slot in unreadable] == [(3, "404")]


def test_augmented_copies_are_joined_too(tmp_path, encoders, refs):
    images, _ = opened(tmp_path, encoders).extract_augmented(refs, 19, quiet, BOTH)

    assert (images.backbone, images.augmentation, images.features.shape) == (BOTH, 19, (4, 5))
    assert images.take([1]).augmentation == 19


def test_progress_counts_each_image_once_over_all_encoders(tmp_path, encoders, refs):
    reported: list[tuple[int, int]] = []

    def progress(step: str, done: int, of: int, detail: str = "") -> None:
        reported.append((done, of))

    opened(tmp_path, encoders).extract(refs, progress, BOTH)

    assert reported == sorted(reported)
    assert (reported[-1], {of for _, of in reported}) == ((4, 4), {4})


def test_only_a_precise_classifier_is_worth_two_encoders(tmp_path, encoders):
    extractor = opened(tmp_path, encoders)

    assert extractor.backbone == FIRST
    assert extractor.choose({TaskKind.SINGLE}, Algorithm.FAST) == FIRST
    assert extractor.choose({TaskKind.DETECTION}, Algorithm.PRECISE) == FIRST
    assert extractor.choose({TaskKind.DETECTION, TaskKind.MULTI}, Algorithm.PRECISE) == BOTH


def test_the_report_counts_the_seconds_of_all_encoders_and_each_image_once(tmp_path, encoders):
    extractor = opened(tmp_path, encoders)
    extractor.extract([painted(tmp_path, 1)], quiet, BOTH)

    parts = [extractor.named(name).timings()["embed"] for name in (FIRST, SECOND)]
    assert extractor.timings()["embed"] == pytest.approx(sum(parts))
    assert extractor.notes() == {}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{FIRST}+", "no backbone is called ''"),
        (f"{FIRST}+resnet18", "no backbone is called 'resnet18'"),
        (f"{FIRST}+{FIRST}", "names a backbone twice"),
    ],
)
def test_a_name_that_joins_no_encoders_is_refused(tmp_path, encoders, name, words):
    with pytest.raises(BadInput, match=words):
        opened(tmp_path, encoders).extract([], quiet, name)
