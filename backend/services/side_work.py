"""Work in a second thread while the first one waits for Label Studio, or has a core to itself."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from backend.domain.errors import Stopped

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


class SideThread:
    """A thread that does one piece of work after the other, and ends with the block at the latest.

    Work that calls `go_on` now and then is stopped there; what has not begun is dropped.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        return self._thread.submit(work)

    def end(self) -> None:
        """End the thread, and wait for what it is just doing."""
        self._ended.set()
        self._thread.shutdown(cancel_futures=True)

    def go_on(self, *_: object) -> None:
        """Raise Stopped once the thread should end; also hears progress, whatever it is."""
        if self._ended.is_set():
            raise Stopped
