from contextlib import suppress

import pytest

from connectors.errors import FetchFailed
from connectors.images.circuit_breaker import IN_A_ROW, REST, Hiccup, Outages


def fail(outages: Outages, times: int, error: type[FetchFailed] = Hiccup) -> int:
    """How many of so many fetches were really tried."""
    tried = 0
    for _ in range(times):
        with suppress(FetchFailed), outages.watching("images.example"):
            tried += 1
            raise error("failed")
    return tried


def test_a_host_that_never_answers_is_left_alone_and_asked_again_later() -> None:
    now = [0.0]
    outages = Outages(clock=lambda: now[0])
    assert fail(outages, 1000) == IN_A_ROW
    with pytest.raises(FetchFailed, match="left alone"), outages.watching("images.example"):
        pass
    now[0] += REST
    assert fail(outages, 1000) == 1
    now[0] += REST
    with outages.watching("images.example"):
        pass
    assert fail(outages, IN_A_ROW) == IN_A_ROW


def test_any_answer_ends_the_row_even_a_refusal() -> None:
    outages = Outages()
    for _ in range(5):
        assert fail(outages, IN_A_ROW - 1) == IN_A_ROW - 1
        assert fail(outages, 1, FetchFailed) == 1


def test_other_hosts_do_not_suffer() -> None:
    outages = Outages()
    fail(outages, 1000)
    with outages.watching("others.example"):
        pass
