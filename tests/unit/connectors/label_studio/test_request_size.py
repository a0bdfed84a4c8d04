"""How many items a request gets after one that was slow or quick."""

import pytest

from connectors.label_studio.request_size import RequestSize
from tests.fakes.clock import FakeClock


def sizes(seconds_each: list[float], items: int = 10_000) -> list[int]:
    """The sizes of the first parts, of which each item takes so many seconds."""
    clock = FakeClock()
    size, taken = RequestSize(clock, first=400, fewest=50, most=1_000, seconds=3), list[int]()
    for part, each in zip(size.parts(range(items)), seconds_each, strict=False):
        clock.now += len(part) * each
        taken.append(len(part))
    return taken


def test_a_part_has_as_many_items_as_its_seconds_allow():
    assert sizes([0.01, 0.03, 0.06, 0.06]) == [400, 300, 100, 50]


def test_the_slowest_of_the_last_three_counts():
    assert sizes([0.03, 0.01, 0.01, 0.01, 0.01]) == [400, 100, 100, 100, 200]


def test_one_that_happened_to_be_quick_is_followed_by_none_that_takes_far_too_long():
    paces = [0.01, 0.005, 0.01, 0.012, 0.005, 0.012]
    parts = sizes(paces)
    assert max(part * pace for part, pace in zip(parts[1:], paces[1:], strict=True)) < 4


def test_sizes_at_most_double_and_stay_within_their_limits():
    assert sizes([0.0, 0.0, 1.0, 1.0, 0.001]) == [400, 800, 1_000, 50, 50]
    assert sizes([0.0, 1.0, 0.001, 0.001, 0.001, 0.001]) == [400, 800, 50, 50, 50, 100]


def test_the_last_part_is_what_is_left():
    assert sizes([0.0] * 4, items=1_500) == [400, 800, 300]


def test_a_small_request_that_was_quick_leaves_the_size():
    clock = FakeClock()
    size = RequestSize(clock, first=400, fewest=50, most=1_000, seconds=3)
    with size.measured(10):
        clock.now += 0.5
    assert size.now == 400


def test_a_request_that_failed_does_not_count():
    clock = FakeClock()
    size = RequestSize(clock, first=400, fewest=50, most=1_000, seconds=3)
    with pytest.raises(OSError, match="away"), size.measured(400):
        clock.now += 60
        raise OSError("away")
    assert size.now == 400


def test_requests_of_several_threads_leave_a_size_within_the_limits():
    clock = FakeClock()
    size = RequestSize(clock, first=400, fewest=50, most=1_000, seconds=3)
    first, second = size.parts(range(1_000)), size.parts(range(1_000))
    assert [len(next(first)), len(next(second))] == [400, 400]
    clock.now += 6
    assert [len(next(first)), len(next(second))] == [200, 200]
