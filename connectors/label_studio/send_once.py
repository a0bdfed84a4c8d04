"""Send what must arrive only once, over connections that may break.

Label Studio's bulk calls are not idempotent, and it works on after a proxy has given up on it. A
failed call is therefore never simply repeated: what it brought about is looked up first, for as
long as it may still be running.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from connectors.errors import Unreachable
from connectors.http import Pause

log = logging.getLogger(__name__)

Item = TypeVar("Item")

_ATTEMPTS = 5
_SHORTEST, _LONGEST = 7.0, 120.0
"""Limits, in seconds, of the time for which a failed call may still be running."""

_LONGEST_PAUSE = 5.0

RUNS_ON: Final = 60.0
"""Seconds for which Label Studio may work on a call whose client died."""

BETWEEN_LOOKS: Final = 5.0
"""Seconds between two looks for what such a call brings about."""


@dataclass(frozen=True, slots=True)
class SendOnce:
    """Sends items in one call, and after a failure only those that have not arrived.

    `pause` waits so many seconds and may raise to give up; `clock` counts seconds.
    """

    pause: Pause
    clock: Callable[[], float]

    def __call__(
        self,
        items: Sequence[Item],
        send: Callable[[Sequence[Item]], object],
        missing: Callable[[Sequence[Item]], Sequence[Item]],
    ) -> bool:
        """Send the items; True if some may have arrived twice, so the caller has to look.

        That happens when a failed call comes to its end only after its repetition has begun.

        Args:
            items: what to send.
            send: makes the call for these items.
            missing: which of these items have not arrived.

        Raises:
            Unreachable: when items are still missing after the last attempt.
        """
        left, longest, attempts = items, 0.0, 0
        while True:
            started, attempts = self.clock(), attempts + 1
            try:
                send(left)
            except Unreachable as exc:
                lasted = self.clock() - started
                left = self._look(left, missing, lasted)
                log.warning("%s; %s of %s items are missing", exc.message, len(left), len(items))
                if not left:
                    return attempts > 1
                if attempts == _ATTEMPTS:
                    raise
                longest = max(longest, lasted)
            else:
                self._wait(min(longest, _LONGEST))
                return attempts > 1

    def _look(
        self,
        items: Sequence[Item],
        missing: Callable[[Sequence[Item]], Sequence[Item]],
        lasted: float,
    ) -> Sequence[Item]:
        """Look repeatedly, until nothing is missing or as much time passed as the call had."""
        waits, waited, pause = min(max(lasted, _SHORTEST), _LONGEST), 0.0, 1.0
        left = missing(items)
        while left and waited < waits:
            self.pause(pause)
            waited += pause
            pause = min(2 * pause, _LONGEST_PAUSE)
            left = missing(left)
        return left

    def _wait(self, seconds: float) -> None:
        """Wait in short pauses, each of which may give up."""
        while seconds > 0:
            self.pause(min(seconds, _LONGEST_PAUSE))
            seconds -= _LONGEST_PAUSE
