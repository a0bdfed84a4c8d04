"""What every implementation of ports.StoredPredictions does."""

from pathlib import Path

import pytest

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.ports.stores import StoredPredictions
from backend.stores.predictions import PredictionStore
from tests.fakes.stored_predictions import FakeStoredPredictions

PETS, CARS = ProjectId(1), ProjectId(2)
OLD, NEW = VersionName("al-0001-3f9c"), VersionName("al-0002-77aa")
CAT, DOG = ImageRef(TaskId(1), "/data/cat.jpg"), ImageRef(TaskId(2), "/data/dög.jpg")
SAID = {"score": 0.5, "result": [{"value": {"choices": ["Katze 猫"]}}]}


@pytest.fixture(params=["fake", "sqlite"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> StoredPredictions:
    return FakeStoredPredictions() if request.param == "fake" else PredictionStore(tmp_path)


def test_what_was_put_comes_back_and_nothing_else(stored: StoredPredictions):
    stored.put(PETS, OLD, {CAT: SAID})
    assert stored.get(PETS, OLD, [DOG, CAT]) == {CAT: SAID}
    assert stored.known(PETS, OLD, [DOG, CAT]) == {CAT.task}
    assert stored.known(PETS, NEW, [CAT]) == stored.known(PETS, OLD, []) == frozenset()
    assert stored.get(PETS, NEW, [CAT]) == {}
    assert stored.get(CARS, OLD, [CAT]) == {}
    assert stored.get(PETS, OLD, []) == {}


def test_a_task_that_shows_another_image_now_has_no_stored_prediction(stored: StoredPredictions):
    stored.put(PETS, OLD, {CAT: SAID})
    moved = ImageRef(CAT.task, "/data/other.jpg")
    assert stored.get(PETS, OLD, [moved]) == {}
    assert stored.known(PETS, OLD, [moved]) == frozenset()


def test_an_address_that_is_no_valid_unicode_is_an_address_too(stored: StoredPredictions):
    broken = ImageRef(TaskId(3), "/data/\ud800.jpg")
    stored.put(PETS, OLD, {broken: SAID})
    assert stored.get(PETS, OLD, [broken]) == {broken: SAID}


def test_a_second_put_replaces_the_first(stored: StoredPredictions):
    stored.put(PETS, OLD, {CAT: SAID})
    stored.put(PETS, OLD, {CAT: {"score": 0.9}})
    assert stored.get(PETS, OLD, [CAT]) == {CAT: {"score": 0.9}}


def test_prune_forgets_the_other_versions_of_this_project_only(stored: StoredPredictions):
    for version in (OLD, NEW):
        stored.put(PETS, version, {CAT: SAID})
        stored.put(CARS, version, {CAT: SAID})
    stored.prune(PETS, keep=[NEW])
    assert stored.get(PETS, OLD, [CAT]) == {}
    assert stored.get(PETS, NEW, [CAT]) == {CAT: SAID}
    assert stored.get(CARS, OLD, [CAT]) == {CAT: SAID}


def test_prune_of_a_project_without_predictions_is_nothing_to_do(stored: StoredPredictions):
    stored.prune(PETS, keep=[])
    assert stored.get(PETS, OLD, [CAT]) == {}


def test_predictions_are_stored_under_another_version_too(stored: StoredPredictions):
    stored.put(PETS, OLD, {CAT: SAID})
    stored.put(CARS, OLD, {DOG: SAID})
    stored.relabel(PETS, OLD, NEW, lambda known: {**known, "score": 0.6})
    assert stored.get(PETS, NEW, [CAT, DOG]) == {CAT: {**SAID, "score": 0.6}}
    assert stored.get(PETS, OLD, [CAT]) == {CAT: SAID}


def test_without_predictions_there_are_none_to_relabel(stored: StoredPredictions):
    stored.relabel(PETS, OLD, NEW, lambda known: known)
    assert stored.get(PETS, NEW, [CAT]) == {}
