"""An idle worker embeds what the next job needs, and makes way for it."""

from dataclasses import dataclass, field, replace

import pytest

from backend.domain.ids import ProjectId
from backend.domain.steps import Step
from backend.services.embedding_ahead import CHUNK, TURN, EmbeddingAhead, NewImages
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.world import World

PROJECT = ProjectId(1)
STRONG = "timm:strong"
BOXES = (
    '<View><Image name="img" value="$image"/><RectangleLabels name="c" toName="img">'
    '<Label value="cat"/><Label value="dog"/></RectangleLabels></View>'
)


@dataclass
class Counting(FakeFeatureExtractor):
    """Notes the tasks of each call."""

    tasks: list[tuple[int, ...]] = field(default_factory=list)

    def extract(self, refs, progress, backbone=""):
        found = super().extract(refs, progress, backbone)
        self.tasks.append(tuple(ref.task for ref in refs))
        return found


@pytest.fixture
def world(tmp_path):
    """More images than are embedded at a time."""
    return World(tmp_path, images=2 * CHUNK + 10, extractor=Counting())


def ahead(world, seconds=0.0, **changes):
    """The service on a clock that advances by `seconds` at each look."""
    times = iter(range(10**6))
    plain = EmbeddingAhead(
        world.label_studio,
        lambda: world.extractor,
        STRONG,
        prepare=lambda name, progress: None,
        must_stop=lambda: False,
        others_wait=lambda: False,
        is_on=False,
        clock=lambda: seconds * next(times),
    )
    return replace(plain, **changes)


def test_all_images_are_embedded_in_parts_and_labeled_ones_first(world):
    assert ahead(world)(PROJECT)

    assert set(world.extractor.extracted) == {STRONG}
    assert [len(part) for part in world.extractor.tasks] == [CHUNK, CHUNK, 10]
    assert world.extractor.tasks[0][:12] == tuple(range(1, 13))
    assert len({task for part in world.extractor.tasks for task in part}) == 2 * CHUNK + 10


def test_it_makes_way_as_soon_as_a_job_waits(world):
    jobs = []

    def must_stop():
        jobs.append(len(world.extractor.tasks))
        return len(world.extractor.tasks) == 1

    assert not ahead(world, seconds=2, must_stop=must_stop)(PROJECT)

    assert len(world.extractor.tasks) == 1


def test_it_makes_way_while_the_encoder_is_prepared(world):
    prepared = []

    def prepare(name, progress):
        for _ in range(10):
            prepared.append(name)
            progress(Step.EMBED, 0, 1)

    assert not ahead(world, 2, prepare=prepare, must_stop=lambda: len(prepared) == 3)(PROJECT)

    assert prepared == [STRONG] * 3
    assert world.extractor.tasks == []


def test_redis_is_not_asked_at_every_step(world):
    asked = []
    ahead(world, seconds=0.01, must_stop=lambda: asked.append(1))(PROJECT)

    assert asked == []


def test_another_project_gets_its_turn_after_a_while(world):
    assert not ahead(world, seconds=TURN, others_wait=lambda: True)(PROJECT)
    assert len(world.extractor.tasks) == 1

    assert ahead(world, others_wait=lambda: True)(PROJECT), "its turn is not over"


def test_nothing_is_embedded_without_a_stronger_encoder_or_for_boxes(world):
    assert ahead(world, upgrade="")(PROJECT)
    world.label_studio.label_config = BOXES
    assert ahead(world)(PROJECT)

    assert world.extractor.tasks == []


def test_images_are_embedded_by_the_usual_encoder_first_and_by_each_only_once(world):
    usual = world.extractor.backbone
    assert ahead(world, is_on=True)(PROJECT)
    assert world.extractor.extracted == [*[usual] * 3, *[STRONG] * 3]

    world.extractor.extracted.clear()
    assert ahead(world, is_on=True, upgrade=usual)(PROJECT)
    assert world.extractor.extracted == [usual] * 3


def test_idle_work_is_asked_for_at_the_first_look_and_whenever_tasks_were_added(world):
    asked = []
    new = NewImages(world.label_studio, asked.append)
    new.look(PROJECT)
    assert asked == [PROJECT]
    # labels make the unlabeled tasks fewer, which is no reason
    world.label([20, 21])
    new.look(PROJECT)
    assert asked == [PROJECT]
    world.label_studio.people[10**6] = None
    new.look(PROJECT)
    assert asked == [PROJECT, PROJECT]


def test_a_project_without_unlabeled_tasks_gives_idle_workers_nothing_to_do(world):
    world.label(list(world.label_studio.people))
    asked = []
    NewImages(world.label_studio, asked.append).look(PROJECT)
    assert asked == []
