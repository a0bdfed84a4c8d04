"""Call a function again and again beside the web server."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def periodically(call: Callable[[], None], seconds: float, name: str) -> Generator[None]:
    """Call every so many seconds, in a thread, while the block runs; the call must not raise."""
    ending = threading.Event()

    def repeat() -> None:
        while not ending.wait(seconds):
            call()

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
