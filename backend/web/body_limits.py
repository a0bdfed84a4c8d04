"""Limits of request bodies: of each route, and of all bodies together."""

import re
import threading

from backend.processes.exposure import is_open
from backend.settings import Settings

MEGABYTE = 1_000_000
LARGEST_PREDICT = 250 * MEGABYTE
"""Label Studio's own upload limit, so the largest body it can pass on."""
LARGEST_BODY = 1 * MEGABYTE
LARGEST_EVENT = 50 * MEGABYTE
"""A webhook carries up to 5,000 tasks. Also the limit of every body on an open network."""
LARGEST_START = 12 * MEGABYTE
"""A job request may name a million tasks."""

LARGEST = {
    "/predict": LARGEST_PREDICT,
    "/train": LARGEST_PREDICT,
    "/webhook": LARGEST_EVENT,
    "/setup": LARGEST_EVENT,
}
_START = re.compile(r"/api/projects/[0-9]+/jobs")

LARGEST_TOTAL = 1_000_000_000
"""Most bytes of bodies at once, of all connections."""


def largest_body(path: str, settings: Settings) -> int:
    """Return the most bytes that the body of a request to this path may have."""
    if _START.fullmatch(path):
        return LARGEST_START
    largest = LARGEST.get(path, LARGEST_BODY)
    return min(largest, LARGEST_EVENT) if is_open(settings) else largest


class BodyBudget:
    """Bytes of request bodies that are held at once."""

    def __init__(self, total: int = LARGEST_TOTAL) -> None:
        self._left = total
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Reserve bytes; False if there are not enough left."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, held: list[int]) -> None:
        with self._lock:
            self._left += sum(held)
