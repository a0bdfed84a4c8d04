"""Work in a second thread while the first one waits for Label Studio, or has a core to itself."""

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")


@contextmanager
def beside(work: Callable[[], Result]) -> Generator[Future[Result]]:
    """Do `work` while the block runs, and wait for it at the end; `result()` raises what it raised.

    Beside a block that computes, it gains time where it computes in NumPy or draws, not where it
    runs Python code. It must not report progress of its own: signals reach the main thread only.
    While it waits for Label Studio, that is reported, so a stop ends it, too.
    """
    with ThreadPoolExecutor(1, "side-work") as thread:
        yield thread.submit(work)
