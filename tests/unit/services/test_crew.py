"""A job divides its large steps among workers, and needs none of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.errors import NotFound, QueueUnreachable, Stopped
from backend.domain.ids import ControlName, Label, ProjectId, TaskId
from backend.domain.schema import Control, TaskKind
from backend.domain.shards import PredictingModel, Shard
from backend.domain.steps import Step
from backend.policies.sharding import WORTH_DIVIDING
from backend.ports.images import Fetch
from backend.ports.progress import Progress
from backend.services.resuming.kept_predictions import KeptPredictions
from backend.services.sharding.crew import MEASURED, OPENING, Crew
from backend.services.sharding.shard_work import ShardWork, bare, heartbeat, take_shards
from backend.stores.unfinished import KeptFiles
from tests.fakes.models import FakeFeatureExtractor, ParityModel
from tests.fakes.shards import FakeShards
from tests.fakes.steps import quiet
from tests.fakes.world import CHOICE, PROJECT, World

IMAGES = 3000


class SlowExtractor(FakeFeatureExtractor):
    """A new image takes 0.1 s by its own clock."""

    now = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.done: list[TaskId] = []

    def clock(self) -> float:
        return self.now

    def uncached(self, refs: Sequence[ImageRef], backbone: str) -> int:
        return sum(ref.task not in self.done for ref in refs)

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        new = [ref.task for ref in refs if ref.task not in set(self.done)]
        self.done += new
        self.now += 0.1 * len(new)
        progress(Step.EMBED, len(refs), len(refs))
        return super().extract(refs, progress, backbone)


class Embedding:
    """A crew at the embedding of many images."""

    def __init__(self, folder: Path, shards: FakeShards, least: float = 60) -> None:
        self.shards = shards
        self.extractor = SlowExtractor()
        self.pauses: list[float] = []
        self.job = World(folder, images=13).job()
        self.refs = [ImageRef(TaskId(task), f"/{task}.png") for task in range(1, IMAGES + 1)]
        self.crew = Crew(shards, self.extractor, least, self.extractor.clock, self.pauses.append)

    def run(self, progress: Progress = quiet) -> list[TaskId]:
        """Fill the cache; returns the images that the job embedded itself."""
        self.crew.embed(self.job, self.refs, "lite0", progress)
        return self.extractor.done


def test_without_other_workers_nothing_is_divided(tmp_path: Path):
    embedding = Embedding(tmp_path, FakeShards(workers=0))
    assert embedding.run() == []
    assert embedding.shards.offered == []


def test_known_images_are_not_worth_dividing(tmp_path: Path):
    embedding = Embedding(tmp_path, FakeShards(workers=3))
    embedding.extractor.done = [ref.task for ref in embedding.refs]
    embedding.run()
    assert embedding.shards.offered == []


def test_few_images_are_not_divided(tmp_path: Path):
    embedding = Embedding(tmp_path, FakeShards(workers=3))
    embedding.refs = embedding.refs[:WORTH_DIVIDING]
    assert embedding.run() == []
    assert embedding.shards.offered == []


def test_others_are_asked_before_the_job_opens_the_encoder(tmp_path: Path):
    shards, embedding = FakeShards(workers=1), Embedding(tmp_path, FakeShards())

    def help_first(shard: Shard) -> bool:
        assert not embedding.extractor.done
        return True

    shards.help = help_first
    embedding.crew = Crew(shards, embedding.extractor, 60, embedding.extractor.clock)
    assert embedding.run() == []
    assert shards.offered


def test_what_one_worker_does_quickly_is_withdrawn_from_the_others(tmp_path: Path):
    embedding = Embedding(tmp_path, FakeShards(workers=3), least=0.1 * IMAGES + 1)
    assert len(embedding.run()) == OPENING + MEASURED
    assert embedding.shards.offered
    assert embedding.shards.withdrawn == ["job-1"]


def test_dividing_may_be_switched_off(tmp_path: Path):
    embedding = Embedding(tmp_path, FakeShards(workers=3), least=0)
    embedding.run()
    assert embedding.shards.offered == []


def test_others_do_what_they_take_and_the_job_the_rest(tmp_path: Path):
    shards = FakeShards(workers=2, help=lambda shard: shard.number < 5)
    done = Embedding(tmp_path, shards).run()
    offered = [ref.task for shard in shards.offered for ref in shard.refs]
    assert len(offered) == IMAGES
    taken = [ref.task for shard in shards.offered[:5] for ref in shard.refs]
    assert sorted([*done, *taken]) == list(range(1, IMAGES + 1))
    assert {shard.backbone for shard in shards.offered} == {"lite0"}
    assert shards.withdrawn == ["job-1"]


def test_the_job_waits_for_the_living_and_not_for_the_dead(tmp_path: Path):
    shards = FakeShards(workers=2, lost={0, 1}, busy=3)
    embedding = Embedding(tmp_path, shards)
    said: list[str] = []
    embedding.run(lambda _step, _done, _of, detail="": said.append(detail))
    assert len(embedding.pauses) == 3
    assert "waiting for other workers" in said
    assert shards.withdrawn


def test_a_stop_withdraws_all_shards(tmp_path: Path):
    shards = FakeShards(workers=2)
    embedding = Embedding(tmp_path, shards)

    def stop(_step: Step, done: int, _of: int, _detail: str = "") -> None:
        if done > WORTH_DIVIDING:
            raise Stopped

    with pytest.raises(Stopped):
        embedding.run(stop)
    assert shards.withdrawn == ["job-1"]


def test_a_job_goes_on_alone_when_redis_is_lost(tmp_path: Path):
    class Lost(FakeShards):
        def offer(self, shards: Sequence[Shard]) -> None:
            raise QueueUnreachable("gone")

    embedding = Embedding(tmp_path, Lost(workers=2))
    assert embedding.run() == []
    assert embedding.shards.withdrawn


class Helping:
    """Another worker, with a world of its own."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        cases = self.world.use_cases()
        self.work: ShardWork = cases.shard_work()
        self.kept = self.work.unfinished.work(PROJECT, "some-key")

    def shard(self, model: PredictingModel | None = None, **changes: Any) -> Shard:
        refs = tuple(self.world.label_studio.ref(TaskId(task)) for task in range(13, 41))
        job = self.world.job().id
        return Shard(PROJECT, job, 0, refs, changes.get("backbone", "lite0"), model)


def test_a_worker_embeds_a_shard(tmp_path: Path):
    helping = Helping(tmp_path)
    helping.work(helping.shard(), quiet)
    assert helping.world.extractor.extracted == ["lite0"]


def test_a_worker_predicts_a_shard_with_a_version_but_for_images_it_cannot_read(tmp_path: Path):
    helping = Helping(tmp_path)
    version = helping.world.run()["version"]
    helping.world.extractor.bad = {TaskId(20): "404"}
    shard = helping.shard(PredictingModel(CHOICE, "some-key", version))
    helping.work(shard, quiet)
    rows, made = helping.kept.predictions(version, CHOICE, shard.refs)
    assert made is not None
    assert len(rows) == len(made.answers) == len(shard.refs) - 1


def test_a_worker_predicts_with_the_model_that_a_job_has_just_trained(tmp_path: Path):
    helping = Helping(tmp_path)
    folder = helping.kept.model(CHOICE)
    folder.mkdir(parents=True)
    (folder / "labels").write_text("cat\ndog")
    shard = helping.shard(PredictingModel(CHOICE, "some-key"))
    helping.work(shard, quiet)
    assert len(helping.kept.predictions("", CHOICE, shard.refs)[0]) == len(shard.refs)


@pytest.mark.parametrize("version", ["", "known"])
def test_a_worker_leaves_a_shard_of_a_control_that_is_gone(tmp_path: Path, version: str):
    helping = Helping(tmp_path)
    made = helping.world.run()["version"]
    gone = PredictingModel(ControlName("gone"), "some-key", made if version else "")
    with pytest.raises(NotFound, match="no control 'gone'"):
        helping.work(helping.shard(gone), quiet)


def test_a_worker_does_all_shards_that_nobody_has_unless_a_job_waits(tmp_path: Path):
    helping, shards, done = Helping(tmp_path), FakeShards(), list[Shard]()
    shard = helping.shard()

    def take(must_stop: bool = False) -> None:
        take_shards(shards, lambda one, _: done.append(one), PROJECT, shard.job, lambda: must_stop)

    take()
    assert done == []
    shards.offer([replace(shard, number=number) for number in range(4)])
    take(must_stop=True)
    assert [one.number for one in done] == [0], "a job waits for this worker"
    shards.claimed.add(2)
    take()
    take()
    assert [one.number for one in done] == [0, 1, 3]


def test_work_that_is_not_wanted_any_more_ends(tmp_path: Path):
    helping, shards = Helping(tmp_path), FakeShards()
    shard = helping.shard()
    shards.offer([shard])

    def work(_: Shard, progress: Progress) -> None:
        shards.withdraw(PROJECT, shard.job)
        progress(Step.EMBED, 0, 1)
        raise AssertionError("it goes on")

    take_shards(shards, work, ProjectId(PROJECT), shard.job, lambda: False)
    assert shards.claimed == {0}


def test_a_worker_asks_once_a_second_and_goes_on_without_an_answer():
    now, asked = [0.0], list[float]()

    def is_wanted() -> bool:
        asked.append(now[0])
        raise QueueUnreachable("no answer")

    progress = heartbeat(is_wanted, lambda: now[0])
    for tenth in range(25):
        now[0] = tenth / 10
        progress(Step.EMBED, 0, 1)
    assert asked == [0, 1, 2]


class SlowModel(ParityModel):
    """Takes 0.1 s for an image, by the clock of `Embedding`."""

    def __init__(self, extractor: SlowExtractor) -> None:
        super().__init__((Label("cat"), Label("dog")))
        self.extractor = extractor
        self.asked: list[TaskId] = []

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        self.asked += images.tasks
        self.extractor.now += 0.1 * len(images)
        return super().predict(images, fetch, progress)


def test_rectangles_are_predicted_together_and_none_twice(tmp_path: Path):
    kept = KeptFiles(tmp_path / "some-key")
    control = Control(CHOICE, "img", TaskKind.DETECTION, (Label("cat"), Label("dog")))
    embedding = Embedding(tmp_path, FakeShards(workers=1))
    images, _ = FakeFeatureExtractor().extract(embedding.refs, quiet)
    other, own = SlowModel(embedding.extractor), SlowModel(embedding.extractor)

    def help_with(shard: Shard) -> bool:
        assert shard.model == PredictingModel(CHOICE, "some-key", "al-0001-aaaa")
        if shard.number % 2:
            return False
        made = other.predict(bare(shard.refs), embedding.extractor.fetch, quiet)
        kept.keep_predictions("al-0001-aaaa", CHOICE, shard.refs, made)
        return True

    embedding.shards.help = help_with
    keep = KeptPredictions(kept, "al-0001-aaaa", embedding.crew, embedding.job)
    made = keep.predict(control, own, images, embedding.extractor.fetch, quiet)
    assert other.asked
    assert sorted([*own.asked, *other.asked]) == list(range(1, IMAGES + 1))
    assert made.answers == own.predict(images, embedding.extractor.fetch, quiet).answers
