"""Look up cached features while Label Studio lists the tasks, in which a job would only wait."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from backend.domain.answers import ImageRef
from backend.domain.errors import Stopped
from backend.ports.images import AheadExtractor


class LookAhead:
    """Looks up features in a thread of its own, for an `extract` within the block.

    with LookAhead(extractor, choose_backbone) as ahead:
        ahead.begin()
        ...  # list tasks, and `look` at them
        ahead.end()
        ...  # extract the features of all

    What fails here is left to that `extract`, which does it again and tells why.
    """

    def __init__(self, extractor: AheadExtractor, backbone: Callable[[], str]) -> None:
        self._extractor = extractor
        self._backbone = backbone
        self._thread = ThreadPoolExecutor(1, "look-ahead")
        self._begun = False
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
        self._extractor.forget_ahead()

    def begin(self) -> None:
        """Look at images from now on; no call of `look` before has an effect."""
        self._begun = True

    def look(self, refs: Sequence[ImageRef]) -> None:
        """Begin to look up these images; does not wait."""
        if self._begun and refs:
            self._thread.submit(self._look, refs)

    def end(self) -> None:
        """End the thread, after what it is just reading; the rest is not looked up."""
        self._ended.set()
        self._thread.shutdown(cancel_futures=True)

    def _look(self, refs: Sequence[ImageRef]) -> None:
        self._extractor.look_ahead(refs, self._go_on, self._backbone())

    def _go_on(self, *_: object) -> None:
        """Hear progress; raises Stopped once the thread should end."""
        if self._ended.is_set():
            raise Stopped
