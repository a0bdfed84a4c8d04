"""Choose how many items to send at once by how long the last requests took."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

REMEMBERED = 3
"""Requests whose slowest one counts. Two that are alike may differ twofold in time; sized by the
last one alone, the next after a lucky one often took far too long."""

AIM = 2.0
"""Seconds that a request should take, so that one which happens to take twice as long ends in time,
too."""


class RequestSize:
    """How many items a request should have, so that it takes some seconds at most.

    As many as that time allows at the slowest pace of the last few, at most twice as many as the
    last one. Safe for several threads: the size follows whichever request ended last.
    """

    def __init__(
        self, clock: Callable[[], float], first: int, fewest: int, most: int, seconds: float = AIM
    ) -> None:
        self._clock = clock
        self._fewest = fewest
        self._most = most
        self._seconds = seconds
        self._paces: tuple[float, ...] = ()
        self.now = first

    def parts(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Split the items into consecutive parts; sending one takes until the next is asked for."""
        start = 0
        while start < len(items):
            part = items[start : start + self.now]
            with self.measured(len(part)):
                yield part
            start += len(part)

    @contextmanager
    def measured(self, items: int) -> Generator[None]:
        """Send so many items in the block. A request that fails does not count."""
        started = self._clock()
        yield
        seconds = max(self._clock() - started, 1e-3)
        is_quick = seconds < self._seconds
        if is_quick and items < self.now:
            return  # a small request does not tell how long a large one takes
        self._paces = (*self._paces, seconds / items)[-REMEMBERED:]
        fitting = min(int(self._seconds / max(self._paces)), 2 * items)
        self.now = max(self._fewest, min(fitting, self._most))
