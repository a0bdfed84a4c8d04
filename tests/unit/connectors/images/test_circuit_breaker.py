from contextlib import suppress

import pytest

from connectors.errors import FetchFailed, TransientError
from connectors.images.circuit_breaker import MAX_FAILURES, OPEN_SECONDS, CircuitBreaker


def fail(breaker: CircuitBreaker, times: int, error: type[FetchFailed] = TransientError) -> int:
    """How many of so many fetches were really tried."""
    tried = 0
    for _ in range(times):
        with suppress(FetchFailed), breaker.guarding("images.example"):
            tried += 1
            raise error("failed")
    return tried


def test_a_host_that_never_answers_is_left_alone_and_asked_again_later() -> None:
    now = [0.0]
    breaker = CircuitBreaker(clock=lambda: now[0])
    assert fail(breaker, 1000) == MAX_FAILURES
    with pytest.raises(FetchFailed, match="not asked"), breaker.guarding("images.example"):
        pass
    now[0] += OPEN_SECONDS
    assert fail(breaker, 1000) == 1
    now[0] += OPEN_SECONDS
    with breaker.guarding("images.example"):
        pass
    assert fail(breaker, MAX_FAILURES) == MAX_FAILURES


def test_any_answer_ends_the_row_even_a_refusal() -> None:
    breaker = CircuitBreaker()
    for _ in range(5):
        assert fail(breaker, MAX_FAILURES - 1) == MAX_FAILURES - 1
        assert fail(breaker, 1, FetchFailed) == 1


def test_other_hosts_do_not_suffer() -> None:
    breaker = CircuitBreaker()
    fail(breaker, 1000)
    with breaker.guarding("others.example"):
        pass


def test_a_host_that_is_away_is_waited_for_until_patience_ends() -> None:
    now = [0.0]
    breaker = CircuitBreaker(patience=60, clock=lambda: now[0])
    fail(breaker, MAX_FAILURES)
    assert breaker.pause("images.example", failed_at=0.0) is not None
    assert fail(breaker, 1) == 1  # still asked
    now[0] += 60
    assert breaker.pause("images.example", failed_at=0.0) is None
    fail(breaker, 1)
    assert fail(breaker, 100) == 0


def test_an_image_that_fails_while_its_host_answers_others_is_not_waited_for() -> None:
    now = [0.0]
    breaker = CircuitBreaker(patience=60, clock=lambda: now[0])
    fail(breaker, 1)
    now[0] += 1
    with breaker.guarding("images.example"):
        pass
    assert breaker.pause("images.example", failed_at=0.0) is None
