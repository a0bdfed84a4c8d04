"""Begin a request before its answer is needed."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def begun(call: Callable[[], Result]) -> Future[Result]:
    """Begin a call in a thread that ends with it, whether or not anybody waits for the result.

    Unlike the thread of an executor, it keeps no process from ending.
    """
    future = Future[Result]()

    def run() -> None:
        try:
            result = call()
        except BaseException as exc:  # noqa: BLE001 - raised by `result()`
            future.set_exception(exc)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="ask-ahead", daemon=True).start()
    return future
