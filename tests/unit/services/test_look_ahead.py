"""Looking up features while Label Studio lists the unlabeled tasks."""

import threading
from dataclasses import dataclass, field
from threading import Event

import pytest

from backend.domain.errors import OutOfSpace, Stopped
from backend.domain.ids import TaskId, VersionName
from backend.domain.steps import Step
from backend.services.project_tasks import LONG_LIST, REPORT_EVERY
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.world import PROJECT, World

SECONDS = 30
"""How long one thread waits for the other."""

LABELED = 12


@dataclass
class LookingExtractor(FakeFeatureExtractor):
    """Says when it has looked; tells with `extract` what it had looked at by then."""

    looked: Event = field(default_factory=Event)
    fault: Exception | None = None
    by_encoder: list[str] = field(default_factory=list)
    found: list[list[TaskId]] = field(default_factory=list)

    def look_ahead(self, refs, progress, backbone):
        try:
            if self.fault:
                raise self.fault
            self.by_encoder.append(backbone)
            super().look_ahead(refs, progress, backbone)
        finally:
            self.looked.set()

    def extract(self, refs, progress, backbone=""):
        if len(refs) > LABELED:
            self.found.append(list(self.looked_ahead))
        return super().extract(refs, progress, backbone)


class WaitingLabelStudio(FakeLabelStudio):
    """Ends no list of unlabeled tasks before `looked` is set, if it waits at all."""

    looked: Event | None = None
    waited = False

    def unlabeled(self, project, schema):
        yield from super().unlabeled(project, schema)
        if self.looked:
            self.waited = self.looked.wait(SECONDS)


class Looking(World):
    extractor: LookingExtractor
    label_studio: WaitingLabelStudio

    def __init__(self, folder, unlabeled=LONG_LIST + 1):
        super().__init__(
            folder,
            LABELED + unlabeled,
            extractor=LookingExtractor(),
            label_studio=WaitingLabelStudio,
        )
        self.label_studio.looked = self.extractor.looked


@pytest.fixture
def world(tmp_path):
    return Looking(tmp_path)


def test_features_are_looked_up_before_all_tasks_are_listed(world):
    report = world.run()
    assert world.label_studio.waited
    assert report["predicted"] == LONG_LIST + 1
    (found,) = world.extractor.found
    assert found[:REPORT_EVERY] == list(range(LABELED + 1, LABELED + 1 + REPORT_EVERY))
    assert world.extractor.looked_ahead == []


def test_pre_labeling_looks_up_the_features_of_its_version(world):
    version = world.run()["version"]
    backbone = world.versions.get(PROJECT, VersionName(version)).backbone
    world.extractor.by_encoder.clear()
    world.extractor.looked.clear()
    world.pre_label(version)
    assert set(world.extractor.by_encoder) == {backbone}


def test_a_short_list_is_not_worth_a_thread(tmp_path):
    world = Looking(tmp_path, LONG_LIST - 1)
    world.label_studio.looked = None
    world.run()
    assert world.extractor.by_encoder == []


def test_of_a_few_chosen_tasks_nothing_is_looked_up_ahead(world):
    world.label_studio.looked = None
    assert world.run(task_ids=(TaskId(LABELED + 1),))["predicted"] == 1
    assert world.extractor.by_encoder == []


def test_what_fails_ahead_is_left_to_the_extraction(world):
    world.extractor.fault = OutOfSpace("no room")
    assert world.run()["predicted"] == LONG_LIST + 1
    assert world.extractor.found == [[]]


def test_a_stop_ends_the_thread(world):
    begun, threads = Event(), set(threading.enumerate())

    def endless(refs, progress, backbone):
        while True:
            progress(Step.EMBED, 0, len(refs))
            begun.set()

    world.extractor.look_ahead = endless
    world.label_studio.looked = begun

    def stop(step, done, of, detail=""):
        if step is Step.LIST and begun.is_set():
            raise Stopped

    with pytest.raises(Stopped):
        world.report(world.active_learning, world.job(), stop)
    assert set(threading.enumerate()) <= threads
