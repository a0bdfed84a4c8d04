"""Look up cached features while Label Studio lists the tasks, in which a job would only wait."""

from collections.abc import Callable, Sequence
from functools import partial

from backend.domain.answers import ImageRef
from backend.ports.images import AheadExtractor
from backend.services.side_work import SideThread


class LookAhead(SideThread):
    """Looks up features in a thread of its own, for an `extract` within the block.

    with LookAhead(extractor, choose_backbone) as ahead:
        ahead.begin()
        ...  # list tasks, and `look` at them
        ahead.end()
        ...  # extract the features of all

    What fails here is left to that `extract`, which does it again and tells why.
    """

    def __init__(self, extractor: AheadExtractor, backbone: Callable[[], str]) -> None:
        super().__init__("look-ahead")
        self._extractor = extractor
        self._backbone = backbone
        self._begun = False

    def __exit__(self, *error: object) -> None:
        self.end()
        self._extractor.forget_ahead()

    def begin(self) -> None:
        """Look at images from now on; no call of `look` before has an effect."""
        self._begun = True

    def look(self, refs: Sequence[ImageRef]) -> None:
        """Begin to look up these images; does not wait."""
        if self._begun and refs:
            self.submit(partial(self._look, refs))

    def _look(self, refs: Sequence[ImageRef]) -> None:
        self._extractor.look_ahead(refs, self.go_on, self._backbone())
