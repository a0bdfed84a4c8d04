from contextlib import suppress

import pytest

from connectors.errors import FetchFailed
from connectors.images.circuit_breaker import IN_A_ROW, REST, CircuitBreaker, TransientError


def fail(breaker: CircuitBreaker, times: int, error: type[FetchFailed] = TransientError) -> int:
    """How many of so many fetches were really tried."""
    tried = 0
    for _ in range(times):
        with suppress(FetchFailed), breaker.watching("images.example"):
            tried += 1
            raise error("failed")
    return tried


def test_a_host_that_never_answers_is_left_alone_and_asked_again_later() -> None:
    now = [0.0]
    breaker = CircuitBreaker(clock=lambda: now[0])
    assert fail(breaker, 1000) == IN_A_ROW
    with pytest.raises(FetchFailed, match="left alone"), breaker.watching("images.example"):
        pass
    now[0] += REST
    assert fail(breaker, 1000) == 1
    now[0] += REST
    with breaker.watching("images.example"):
        pass
    assert fail(breaker, IN_A_ROW) == IN_A_ROW


def test_any_answer_ends_the_row_even_a_refusal() -> None:
    breaker = CircuitBreaker()
    for _ in range(5):
        assert fail(breaker, IN_A_ROW - 1) == IN_A_ROW - 1
        assert fail(breaker, 1, FetchFailed) == 1


def test_other_hosts_do_not_suffer() -> None:
    breaker = CircuitBreaker()
    fail(breaker, 1000)
    with breaker.watching("others.example"):
        pass
