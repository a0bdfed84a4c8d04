"""Many threads that take turns in the middle of a line."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

CALLS = 8 * 2000


@contextmanager
def quick_turns() -> Iterator[None]:
    """Let threads take turns every microsecond, 5,000 times as often as they do by themselves."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def in_threads(call: Callable[[], object]) -> None:
    """Make `CALLS` calls from eight threads at once."""
    with quick_turns(), ThreadPoolExecutor(8) as pool:
        for made in [pool.submit(_repeat, call) for _ in range(8)]:
            made.result()


def _repeat(call: Callable[[], object]) -> None:
    for _ in range(CALLS // 8):
        call()
