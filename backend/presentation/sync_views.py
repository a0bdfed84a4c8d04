"""What a synchronization does and did, for the terminal and JSON."""

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from backend.domain.side_cars import SyncReport
from backend.ports.folders import SyncProgress
from backend.presentation import terminal

NAMED = 20
"""Files that are named; of more, the number is shown. JSON names all."""

PLAIN_SECONDS = 5.0


def report_lines(report: SyncReport) -> Iterable[RenderableType]:
    """Yield the counts, and the files that were left as they are."""
    yield f"{report.images} images in the folder"
    yield f"{report.created} new tasks"
    yield f"{report.labeled} tasks got the labels of a file"
    yield f"{report.written} label files written"
    if report.skipped:
        yield f"{len(report.skipped)} files left as they are:"
    for one in report.skipped[:NAMED]:
        yield f"  {one.path}: {one.reason}"
    if len(report.skipped) > NAMED:
        yield f"  and {len(report.skipped) - NAMED} more; --json names all"


@contextmanager
def progress(*, quiet: bool) -> Generator[SyncProgress]:
    """Show what is going on: a bar on a terminal, a line every five seconds otherwise."""
    if quiet:
        yield _say_nothing
        return
    if not terminal.out.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=terminal.out, transient=True) as bar:
        row = bar.add_task("starting", total=None)
        yield lambda what, done, of: bar.update(
            row, description=what, completed=done, total=of or None
        )


def _say_nothing(what: str, done: int, of: int) -> None:
    _ = what, done, of


class _Lines:
    """Plain lines, one for each new activity and one every few seconds of a long one."""

    def __init__(self) -> None:
        self._last, self._said = "", 0.0

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if what != self._last or now - self._said > PLAIN_SECONDS:
            terminal.say(f"{what}: {done} of {of}" if of else f"{what}: {done}")
            self._last, self._said = what, now
