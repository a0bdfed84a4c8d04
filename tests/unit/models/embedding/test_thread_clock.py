"""When a thread counts as idle, and which of the seconds count as waiting for files."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.arrays import Pixels
from backend.models.embedding.encoder import Vectors
from backend.models.embedding.thread_clock import ThreadClock
from tests.fakes.encoder import MeanColour, extractor_of, painted
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet

LITTLE = 0.02
SLOW = 0.3


def test_time_counts_while_fewer_than_all_threads_are_busy():
    clock = ThreadClock(2)
    time.sleep(LITTLE)
    assert clock.idle_seconds() >= LITTLE
    with ExitStack() as busy:
        busy.enter_context(clock.busy())
        time.sleep(LITTLE)
        assert clock.idle_seconds() >= 2 * LITTLE
        busy.enter_context(clock.busy())
        before = clock.idle_seconds()
        time.sleep(LITTLE)
        assert clock.idle_seconds() == before
    time.sleep(LITTLE)
    assert clock.idle_seconds() >= before + LITTLE


class SlowServer(FakeImageFiles):
    """Serves one file after the other, each in `SLOW` seconds."""

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        for found in super().digests(refs):
            time.sleep(SLOW)
            yield found


class SlowEncoder(MeanColour):
    """Takes `seconds` for an image, in which it does not need the processor."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def embed(self, images: Pixels) -> Vectors:
        time.sleep(self.seconds * len(images))
        return super().embed(images)


def test_waiting_for_files_counts_as_fetching_though_others_are_embedded_meanwhile(tmp_path: Path):
    first, *refs = [painted(tmp_path, number) for number in range(7)]
    extractor = extractor_of(tmp_path, SlowServer(), SlowEncoder(SLOW / 4))
    extractor.extract([first], quiet)  # loads the decoders
    before = extractor.timings()["fetch"]

    extractor.extract(refs, quiet)

    assert extractor.timings()["fetch"] - before > 0.5 * 6 * SLOW


def test_where_the_encoder_is_the_limit_the_time_counts_as_embedding(tmp_path: Path):
    refs = [painted(tmp_path, number) for number in range(6)]

    extractor = extractor_of(tmp_path, FakeImageFiles(), SlowEncoder(SLOW))
    extractor.extract(refs, quiet)

    assert extractor.timings()["embed"] > 0.9 * 3 * SLOW
