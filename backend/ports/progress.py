"""How long work reports where it is, and learns that it should stop."""

from typing import Protocol


class Progress(Protocol):
    """How long work says where it is, and learns that it should stop."""

    def __call__(self, step: str, done: int, of: int, /) -> None:
        """Report `done` of `of` within `step`.

        Raises:
            Stopped: when someone asked to stop. Call at least every second or two.
        """
        ...
