"""Arrays in files hold the same values as others, and need no memory."""

import errno
import os

import numpy as np
import pytest

from backend.domain import large_arrays
from backend.domain.arrays import to_float32
from backend.domain.large_arrays import release, take, zeros, zeros_beside
from tests.fakes.mapped_files import mapped

ROWS, WIDTH = 20_000, 64


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    monkeypatch.setattr(large_arrays, "IN_MEMORY", 100_000)


@pytest.fixture
def numbers():
    return np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float16)


@pytest.fixture
def filed(tmp_path, numbers):
    array = zeros(ROWS, WIDTH, np.float16, tmp_path)
    array[:] = numbers
    return array


def test_a_small_array_lies_in_memory(tmp_path):
    array = zeros(10, WIDTH, np.float16, tmp_path)
    assert not array.any()
    assert mapped(tmp_path) == (0, 0)


def test_a_large_one_lies_in_a_file_without_a_name(tmp_path, filed, numbers):
    assert np.array_equal(filed, numbers)
    assert mapped(tmp_path).size >= filed.nbytes
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_gone_with_the_last_array_in_it(tmp_path, numbers):
    part = zeros(ROWS, WIDTH, np.float16, tmp_path)[10:20]
    assert mapped(tmp_path).size
    del part
    assert mapped(tmp_path) == (0, 0)


def test_what_is_released_needs_no_memory_and_stays_as_it_was(tmp_path, filed, numbers):
    assert mapped(tmp_path).resident >= filed.nbytes
    release(filed)
    assert mapped(tmp_path).resident == 0
    assert np.array_equal(filed, numbers)


@pytest.mark.parametrize("part", [slice(1000, 2000), slice(None, None, 7), slice(19_999, 20_000)])
def test_a_part_is_released_alone(tmp_path, filed, numbers, part):
    before = mapped(tmp_path).resident
    release(filed[part])
    assert mapped(tmp_path).resident < before
    assert np.array_equal(filed, numbers)


def test_nothing_happens_to_an_empty_part(tmp_path, filed):
    release(filed[:0])
    assert mapped(tmp_path).resident >= filed.nbytes


def test_to_convert_all_of_it_part_by_part_leaves_little_in_memory(tmp_path, filed, numbers):
    parts = [to_float32(filed[start : start + 1000]) for start in range(0, ROWS, 1000)]
    assert np.array_equal(np.concatenate(parts), numbers.astype(np.float32))
    assert mapped(tmp_path).resident < 0.2 * filed.nbytes


@pytest.mark.parametrize("count", [0, 5, 2500])
def test_rows_are_taken_in_the_order_asked_for(tmp_path, filed, numbers, count):
    rows = np.random.default_rng(1).permutation(ROWS)[:count]
    assert np.array_equal(take(filed, rows), numbers[rows])
    assert np.array_equal(take(filed, [int(row) for row in rows]), numbers[rows])
    assert np.array_equal(take(numbers, rows), numbers[rows])


def test_many_rows_of_a_file_lie_in_a_file_and_few_in_memory(tmp_path, filed):
    release(filed)
    before = mapped(tmp_path).size
    few = take(filed, np.arange(0, ROWS, 500))
    assert mapped(tmp_path) == (before, 0)
    many = take(filed, np.arange(0, ROWS, 2))
    size, resident = mapped(tmp_path)
    assert size >= before + many.nbytes
    assert resident == 0
    assert len(few) == 40


def test_an_array_beside_one_in_memory_lies_in_memory(tmp_path, filed, numbers):
    before = mapped(tmp_path).size
    assert zeros_beside(numbers, ROWS, WIDTH).shape == (ROWS, WIDTH)
    assert mapped(tmp_path).size == before
    beside = zeros_beside(filed[5:], ROWS, 2 * WIDTH)
    assert mapped(tmp_path).size >= before + beside.nbytes


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EOPNOTSUPP])
def test_memory_serves_where_a_file_cannot_be_had(tmp_path, monkeypatch, code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    assert zeros(ROWS, WIDTH, np.float16, tmp_path).shape == (ROWS, WIDTH)
    assert mapped(tmp_path) == (0, 0)


def test_memory_serves_on_systems_that_cannot_reserve_room(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    assert zeros(ROWS, WIDTH, np.float16, tmp_path).shape == (ROWS, WIDTH)


def test_without_a_folder_it_lies_in_memory():
    assert zeros(ROWS, WIDTH, np.float16, None).shape == (ROWS, WIDTH)
