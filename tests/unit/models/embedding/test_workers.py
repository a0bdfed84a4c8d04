import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.models.embedding.workers import open_workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def niceness_of_workers(own: int) -> int:
    """What the workers have that a thread of this niceness starts."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), own)
    with open_workers(1) as workers:
        return workers.submit(niceness).result()


@pytest.mark.parametrize("nicer", [0, 10])
def test_workers_have_a_low_priority_and_never_a_higher_one_than_who_starts_them(nicer: int):
    own = min(19, niceness() + nicer)  # `nice autolabel worker`, and only root may raise it again
    with ThreadPoolExecutor(1) as starting:
        assert starting.submit(niceness_of_workers, own).result() == max(5, own)
