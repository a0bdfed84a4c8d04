"""Many threads that take turns in the middle of a line."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

CALLS = 80_000
_THREADS = 8


def in_threads(call: Callable[[], object]) -> None:
    """Make `CALLS` calls from several threads, which take turns every microsecond."""

    def repeat() -> None:
        for _ in range(CALLS // _THREADS):
            call()

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            for made in [pool.submit(repeat) for _ in range(_THREADS)]:
                made.result()
    finally:
        sys.setswitchinterval(usual)
