"""What to label first is shown as soon as a project is connected, and makes way for jobs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from backend.domain.answers import ImageRef
from backend.domain.errors import NoWeights
from backend.domain.ids import TaskId
from backend.domain.jobs import JobRequest, Mode
from backend.domain.tab_titles import TabTitle
from backend.policies.preconditions import Minimum
from backend.services import first_wall
from backend.services.first_wall import FirstWall
from backend.stores.first_walls import FirstWallFiles
from tests.fakes.domain import a_job
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.world import PROJECT, World

BOXES = (
    '<View><Image name="img" value="$image"/><RectangleLabels name="c" toName="img">'
    '<Label value="cat"/><Label value="dog"/></RectangleLabels></View>'
)
TWO_QUESTIONS = (
    '<View><Image name="img" value="$image"/>'
    '<RectangleLabels name="b" toName="img"><Label value="tail"/></RectangleLabels>'
    '<Choices name="c" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices></View>'
)


@dataclass
class Slow(FakeFeatureExtractor):
    """Takes long enough for a job to come in between, and notes how many images it embeds."""

    asked: list[int] = field(default_factory=list)

    def extract(self, refs: Sequence[ImageRef], progress, backbone=""):
        self.asked.append(len(refs))
        return super().extract(refs, progress, backbone)


@pytest.fixture
def world(tmp_path):
    """A connected project of sixty images that nobody labeled."""
    world = World(tmp_path, images=60, extractor=Slow())
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    FirstWallFiles(tmp_path).want(PROJECT)
    return world


def wall(world, **changes):
    plain = FirstWall(
        world.label_studio,
        lambda: world.extractor,
        world.ledgers,
        FirstWallFiles(world.folder),
        world.readiness().status,
        Minimum(labels=2, images=5),
        seed=0,
        must_stop=lambda: False,
    )
    return replace(plain, **changes)


def listed(world):
    return world.label_studio.lists.get(TabTitle.NEXT_PICKS, ())


@pytest.mark.parametrize("config", [None, BOXES, TWO_QUESTIONS])
def test_a_project_without_labels_gets_what_to_label_first(world, config):
    world.label_studio.label_config = config or world.label_studio.label_config
    assert wall(world)(PROJECT)
    assert len(listed(world)) == 24
    assert len(set(listed(world))) == 24


def test_a_tiny_project_gets_all_its_images(world):
    world.label_studio.people = dict.fromkeys(list(world.label_studio.people)[:3])
    assert wall(world)(PROJECT)
    assert sorted(listed(world)) == [1, 2, 3]


@pytest.mark.parametrize("config", [None, BOXES])
def test_images_that_look_the_same_are_shown_once(world, config):
    @dataclass
    class Twins(FakeFeatureExtractor):
        """Images up to 40 look like all others of their parity, the rest like no other."""

        def extract(self, refs: Sequence[ImageRef], progress, backbone=""):
            images, unreadable = super().extract(refs, progress, backbone)
            rows = [ref.task % 2 if ref.task <= 40 else ref.task for ref in images.refs]
            features = np.eye(64, dtype=np.float16)[rows]
            return replace(images, features=features), unreadable

    world.extractor = Twins()
    world.label_studio.label_config = config or world.label_studio.label_config
    assert wall(world)(PROJECT)
    assert sum(task <= 40 for task in listed(world)[:22]) == 2, "each of two looks once"


def test_it_is_made_once_and_a_deleted_tab_stays_deleted(world):
    assert wall(world)(PROJECT)
    world.label_studio.list_in_tab(PROJECT, TabTitle.NEXT_PICKS, [])
    world.label_studio.marked.clear()
    assert wall(world)(PROJECT)
    assert listed(world) == ()


def test_what_somebody_asked_for_is_not_replaced(world):
    world.report(world.suggestions, world.job(mode=Mode.SUGGESTING, count=7))
    assert wall(world)(PROJECT)
    assert len(listed(world)) == 7


def test_a_project_that_nobody_connected_gets_none(tmp_path):
    world = World(tmp_path, images=60)
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    assert wall(world)(PROJECT)
    assert listed(world) == ()


def test_a_project_with_enough_labels_needs_none(world):
    world.label([TaskId(task) for task in range(1, 13)])
    assert wall(world)(PROJECT)
    assert listed(world) == ()


def test_a_trained_project_needs_none_whatever_its_labels(world):
    world.label([TaskId(task) for task in range(1, 13)])
    world.run()
    world.label_studio.lists.clear()
    world.label_studio.marked.clear()
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    assert wall(world)(PROJECT)
    assert listed(world) == ()


def test_an_empty_project_gets_its_wall_later(world):
    people, world.label_studio.people = world.label_studio.people, {}
    assert wall(world)(PROJECT)
    assert listed(world) == ()
    world.label_studio.people = people
    assert wall(world)(PROJECT)
    assert listed(world)


def test_it_makes_way_for_a_job_and_is_made_after_it(world):
    seconds = iter(range(0, 10**6, 10))
    arrives = wall(
        world, must_stop=lambda: bool(world.extractor.asked), clock=lambda: next(seconds)
    )
    assert not arrives(PROJECT)
    assert listed(world) == ()
    assert wall(world)(PROJECT)
    assert listed(world)


def test_while_a_job_of_the_project_runs_nothing_is_shown(world):
    job = a_job(request=JobRequest(PROJECT, Mode.GROUPING))
    status = replace(world.readiness().status(PROJECT), job=job)
    assert wall(world, status=lambda _: status)(PROJECT)
    assert listed(world) == ()


def test_without_a_readable_image_it_says_so_and_goes_on(world, caplog):
    world.extractor.bad = dict.fromkeys(world.label_studio.people, "the file is empty")
    assert wall(world)(PROJECT)
    assert listed(world) == ()
    assert "what to label first cannot be shown: no image can be read" in caplog.text


def test_without_weights_it_says_so_and_goes_on(world, caplog):
    def missing():
        raise NoWeights("the weights are missing", "Download them")

    assert wall(world, extractor=missing)(PROJECT)
    assert "the weights are missing" in caplog.text


def test_of_a_large_project_a_sample_is_looked_at(tmp_path):
    world = World(tmp_path, images=first_wall.SAMPLE + 500, extractor=Slow())
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    FirstWallFiles(tmp_path).want(PROJECT)
    assert wall(world)(PROJECT)
    assert world.extractor.asked == [first_wall.SAMPLE]
    assert len(listed(world)) == 24
