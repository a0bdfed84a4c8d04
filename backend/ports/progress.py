"""The callback by which long work reports progress and is stopped."""

from typing import Protocol


class Progress(Protocol):
    """Called by long work, at least every second or two."""

    def __call__(self, step: str, done: int, of: int, /) -> None:
        """Report `done` of `of` within `step`.

        Raises:
            Stopped: when someone asked the job to stop.
        """
        ...
