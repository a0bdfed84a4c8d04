"""Predictions are stored while Label Studio takes them, and both before anything is switched."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from backend.domain.answers import Answer, ImageRef
from backend.domain.errors import AutolabelError, OutOfSpace, Stopped
from backend.domain.ids import ControlName, ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.task_lists import ListDraft
from backend.ports.label_studio import Pushed, SerializedPrediction
from backend.stores.reviews import ReviewFiles
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.stored_predictions import FakeStoredPredictions
from tests.fakes.world import PROJECT, World

WAITING = [TaskId(task) for task in range(13, 41)]
SECONDS = 30
"""A wait that is longer than this has failed."""


class WatchedStudio(FakeLabelStudio):
    """Calls `on_push` before it takes predictions, and notes what each push had."""

    def __init__(self, people: dict[TaskId, dict[ControlName, Answer] | None]) -> None:
        super().__init__(people=people)
        self.on_push: Callable[[], None] = lambda: None
        self.pushed: list[tuple[list[TaskId], list[str]]] = []
        """The tasks and the titles of lists of each push."""

    def push(
        self,
        project: ProjectId,
        predictions: Sequence[SerializedPrediction],
        lists: Sequence[ListDraft] = (),
    ) -> Pushed:
        self.on_push()
        self.pushed.append(([one.task for one in predictions], [one.tasks.title for one in lists]))
        return super().push(project, predictions, lists)


class WatchedStore(FakeStoredPredictions):
    """Calls `on_put` before it stores, and notes which predictions were read."""

    def __init__(self) -> None:
        super().__init__()
        self.on_put: Callable[[], None] = lambda: None
        self.has_stored = threading.Event()
        self.read: list[TaskId] = []

    def put(
        self, project: ProjectId, version: VersionName, predictions: Mapping[ImageRef, Json]
    ) -> None:
        self.on_put()
        super().put(project, version, predictions)
        self.has_stored.set()

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Json]:
        self.read += [ref.task for ref in refs]
        return super().get(project, version, refs)


class Watched(World):
    """A world that watches what its jobs push and store."""

    def __init__(self, folder: Path) -> None:
        self.store = WatchedStore()
        super().__init__(folder, stored=self.store, label_studio=WatchedStudio)

    @property
    def studio(self) -> WatchedStudio:
        assert isinstance(self.label_studio, WatchedStudio)
        return self.label_studio

    def stored_tasks(self, version: str) -> list[TaskId]:
        refs = [self.label_studio.ref(task) for task in WAITING]
        return [ref.task for ref in self.stored.get(PROJECT, VersionName(version), refs)]


@pytest.fixture
def world(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def assert_nothing_is_switched(world: World) -> None:
    assert world.versions.current(PROJECT) is None
    assert world.label_studio.model_version == ""
    assert world.label_studio.walls == {}
    assert world.reviews.version(PROJECT) is None


def test_predictions_are_stored_while_label_studio_takes_them(world: Watched):
    begun, waited = threading.Event(), list[bool]()
    world.store.on_put = lambda: waited.append(begun.wait(SECONDS))

    def takes_its_time() -> None:
        begun.set()
        waited.append(world.store.has_stored.wait(SECONDS))

    world.studio.on_push = takes_its_time
    version = world.run()["version"]
    assert waited == [True, True]
    assert world.stored_tasks(version) == WAITING


def test_nothing_is_switched_before_all_is_stored(world: Watched):
    world.studio.at_once = 10
    world.store.on_put = lambda: assert_nothing_is_switched(world)
    world.run()
    assert [len(tasks) for tasks, _ in world.studio.pushed] == [10, 10, 8]


def test_the_last_batch_marks_the_lists(world: Watched):
    world.studio.at_once = 10
    world.run()
    first, second, last = (titles for _, titles in world.studio.pushed)
    assert first == second == []
    assert "Label next" in last


@pytest.mark.parametrize("number", [1, 3], ids=["in the first batch", "in the last batch"])
def test_a_job_that_cannot_store_fails_before_anything_is_switched(world: Watched, number: int):
    stored = list[int]()

    def is_full() -> None:
        stored.append(1)
        if len(stored) == number:
            raise OutOfSpace("the disk is full", "Free some space")

    world.studio.at_once = 10
    world.store.on_put = is_full
    with pytest.raises(OutOfSpace):
        world.run()
    assert len(world.studio.pushed) == number
    assert_nothing_is_switched(world)


@pytest.mark.parametrize("error", [Stopped(), AutolabelError("no answer")], ids=["stop", "fault"])
def test_a_job_that_ends_during_an_import_has_stored_what_it_sent(
    world: Watched, error: AutolabelError
):
    def ends() -> None:
        raise error

    world.studio.on_push = ends
    with pytest.raises(type(error)):
        world.run()
    assert_nothing_is_switched(world)
    (version,) = world.versions.all(PROJECT)
    assert world.stored_tasks(version.name) == WAITING


def test_pre_labeling_stores_what_a_job_sent_that_died_before_it_was_stored(world: Watched):
    version = VersionName(world.run()["version"])
    world.store.prune(PROJECT, ())
    refs = [world.label_studio.ref(task) for task in WAITING]
    known = {refs[0]: {"score": 0.5, "result": []}}
    world.store.put(PROJECT, version, known)
    world.studio.pushed.clear()

    report = world.pre_label(version)

    assert world.studio.pushed == [([], [])], "no prediction doubled"
    assert world.stored_tasks(version) == WAITING
    assert world.store.get(PROJECT, version, refs[:1]) == known, "not made again"
    assert report["predicted"] == len(WAITING) - 1


def test_a_job_fails_whose_predictions_the_review_page_cannot_list(
    world: Watched, monkeypatch: pytest.MonkeyPatch
):
    def is_full(*_: object) -> None:
        raise OutOfSpace("the disk is full", "Free some space")

    monkeypatch.setattr(ReviewFiles, "index", is_full)
    with pytest.raises(OutOfSpace):
        world.run()


def test_only_predictions_of_earlier_jobs_are_read_to_be_offered(world: Watched):
    version = world.run()["version"]
    assert not set(WAITING) & set(world.store.read)
    offered = world.reviews.undecided(PROJECT, None, 0.0, 0, 100)
    assert sorted(offered) == WAITING
    world.label_studio.people[TaskId(41)] = None

    world.pre_label(version)

    assert set(world.store.read) >= set(WAITING)
    assert TaskId(41) not in world.store.read
    offered = world.reviews.undecided(PROJECT, None, 0.0, 0, 100)
    assert sorted(offered) == [*WAITING, TaskId(41)]
    walls = [given for _, given in world.label_studio.walls.values()]
    assert len(walls) == 2
