"""A process that dies at a chosen write: before it, or right after it was carried out."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


class Died(BaseException):
    """The process is gone: no error, which code might handle."""


@dataclass
class Death:
    """Counts the writes of all parts around it; the one of number `at` is the last.

    Attributes:
        at: counted from 1.
        after: whether that write was still carried out.
    """

    at: int
    after: bool
    writes: int = 0

    def around(self, part: Any, names: Collection[str]) -> "Mortal":
        """Return the part; these methods of it write."""
        return Mortal(part, names, self)


@dataclass
class Mortal:
    """Passes everything on to a part until its process dies."""

    part: Any
    names: Collection[str]
    death: Death

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        if name not in self.names:
            return found

        def write(*arguments: Any, **named: Any) -> Any:
            self.death.writes += 1
            is_last = self.death.writes == self.death.at
            if is_last and not self.death.after:
                raise Died
            result = found(*arguments, **named)
            if is_last:
                raise Died
            return result

        return write
