"""Stored predictions on a real disk: speed, several processes, a full disk."""

import multiprocessing
import sqlite3
import time
from pathlib import Path

import pytest

from backend.domain.answers import ImageRef
from backend.domain.errors import OutOfSpace
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.stores.predictions import PredictionStore

PETS, VERSION = ProjectId(1), VersionName("al-0001-3f9c")
SAID = {"score": 0.5, "result": [{"from_name": "c", "value": {"choices": ["cat"]}}]}


def some(first: int, count: int) -> list[ImageRef]:
    return [ImageRef(TaskId(n), f"/data/{n}.jpg") for n in range(first, first + count)]


def put_some(data_dir: Path, first: int) -> None:
    store = PredictionStore(data_dir)
    for start in range(first, first + 100, 10):
        store.put(PETS, VERSION, dict.fromkeys(some(start, 10), SAID))


def test_a_thousand_predictions_are_found_among_many_in_less_than_50_ms(tmp_path: Path):
    store = PredictionStore(tmp_path)
    store.put(PETS, VERSION, dict.fromkeys(some(0, 20_000), SAID))
    wanted = some(5_000, 1_000)
    seconds = []
    for _ in range(5):
        started = time.thread_time()
        found = store.get(PETS, VERSION, wanted)
        seconds.append(time.thread_time() - started)
        assert len(found) == 1_000
    assert min(seconds) < 0.05


def test_several_processes_store_at_once(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=put_some, args=(tmp_path, first)) for first in (0, 100, 200)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(PredictionStore(tmp_path).get(PETS, VERSION, some(0, 400))) == 300


def test_a_full_disk_is_named_and_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = PredictionStore(tmp_path)
    store.put(PETS, VERSION, dict.fromkeys(some(0, 1), SAID))
    connect = sqlite3.connect

    def connect_to_a_full_disk(*args: object, **options: object) -> sqlite3.Connection:
        database = connect(*args, **options)  # pyright: ignore
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count={pages}")
        return database

    monkeypatch.setattr(sqlite3, "connect", connect_to_a_full_disk)
    with pytest.raises(OutOfSpace):
        store.put(PETS, VERSION, dict.fromkeys(some(1, 5_000), SAID))
    assert len(store.get(PETS, VERSION, some(0, 5_000))) == 1


def test_a_damaged_file_is_set_aside_and_an_empty_one_takes_its_place(tmp_path: Path):
    store = PredictionStore(tmp_path)
    store.put(PETS, VERSION, dict.fromkeys(some(0, 10), SAID))
    path = tmp_path / "projects" / "1" / "predictions.sqlite"
    path.write_bytes(bytes(8192))
    assert store.get(PETS, VERSION, some(0, 10)) == {}
    store.put(PETS, VERSION, dict.fromkeys(some(0, 3), SAID))
    assert len(store.get(PETS, VERSION, some(0, 10))) == 3
    assert path.with_name("damaged-predictions.sqlite").is_file()


@pytest.mark.parametrize("damage", ["{", "[]", "1"])
def test_a_damaged_row_is_neither_returned_nor_known(tmp_path: Path, damage: str):
    store = PredictionStore(tmp_path)
    store.put(PETS, VERSION, dict.fromkeys(some(0, 2), SAID))
    with sqlite3.connect(tmp_path / "projects" / "1" / "predictions.sqlite") as database:
        database.execute("UPDATE predictions SET prediction = ? WHERE task = 0", [damage])
    assert {ref.task for ref in store.get(PETS, VERSION, some(0, 2))} == {1}
    assert store.known(PETS, VERSION, some(0, 2)) == {1}
