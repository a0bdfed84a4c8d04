"""Loading models of several versions at the same time."""

import threading
from collections import Counter
from dataclasses import dataclass, field

import pytest

from backend.domain.errors import BadInput, Stopped
from backend.domain.ids import VersionName
from backend.services.training.model_cache import CAPACITY, ModelCache
from tests.fakes.domain import a_version
from tests.fakes.versions import FakeVersions

SLOW, QUICK = VersionName("al-0001-aaaa"), VersionName("al-0002-bbbb")


@dataclass
class Loader:
    """Counts what it loads; `SLOW` waits for the gate, and `broken` cannot be loaded."""

    gate: threading.Event = field(default_factory=threading.Event)
    loads: Counter[str] = field(default_factory=Counter)
    broken: bool = False

    def load(self, _schema, version, _versions):
        self.loads[version.name] += 1
        if self.broken:
            raise BadInput("no model")
        if version.name == SLOW:
            assert self.gate.wait(10)
        return {}


@pytest.fixture
def loader():
    loader = Loader()
    yield loader
    loader.gate.set()


@pytest.fixture
def cache(loader):
    return ModelCache(lambda: loader, FakeVersions())


def test_a_model_that_loads_holds_up_no_other_one(cache):
    with pytest.raises(Stopped):
        cache.models(None, a_version(SLOW), seconds=0)
    assert cache.models(None, a_version(QUICK), seconds=5) == {}


def test_nobody_waits_for_a_model_past_the_deadline_and_it_goes_on_loading(cache, loader):
    for _ in range(3):
        with pytest.raises(Stopped):
            cache.models(None, a_version(SLOW), seconds=0.01)
    loader.gate.set()
    assert cache.models(None, a_version(SLOW), seconds=5) == {}
    assert loader.loads[SLOW] == 1


def test_a_model_that_could_not_be_loaded_is_tried_again(cache, loader):
    loader.broken = True
    with pytest.raises(BadInput):
        cache.models(None, a_version(QUICK), seconds=5)
    loader.broken = False
    assert cache.models(None, a_version(QUICK), seconds=5) == {}


def test_the_version_not_used_for_longest_is_dropped(cache, loader):
    names = [VersionName(f"al-{number:04}-cccc") for number in range(CAPACITY + 1)]
    for name in names:
        cache.models(None, a_version(name), seconds=5)
    cache.models(None, a_version(names[-1]), seconds=5)
    cache.models(None, a_version(names[0]), seconds=5)
    assert [loader.loads[name] for name in (names[0], names[-1])] == [2, 1]
