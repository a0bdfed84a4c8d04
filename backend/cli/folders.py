"""`autolabel sync PROJECT URL`: a folder of images and a project, kept alike."""

import time
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from backend import settings, wiring
from backend.cli.options import AsJson, Project
from backend.domain.errors import Unavailable
from backend.domain.ids import ProjectId
from backend.presentation import sync_views, terminal

commands = typer.Typer()


@commands.command()
def sync(
    project: Project,
    url: Annotated[
        str, typer.Argument(help="A folder, or s3://, gs:// or azure:// with bucket and path.")
    ],
    write_back: Annotated[
        bool, typer.Option("--write-back", help="Write labels beside the images, too.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two repetitions.", min=1)] = 60,
    as_json: AsJson = False,
) -> None:
    """Make tasks for the images of a folder, and take the labels that lie beside them.

    An image becomes a task by its address; nothing is copied. Labels: a text file of the same name
    with one label a line, or rectangles as Pascal VOC (.xml) or YOLO (.txt with classes.txt).
    Safe to repeat: nothing is done twice.
    """
    synchronize = wiring.synchronization(settings.load(), url, ProjectId(project))

    def once() -> None:
        with sync_views.progress(quiet=as_json) as progress:
            report = synchronize(progress, write_back=write_back)
        terminal.show(report, as_json, sync_views.report_lines)

    if watch:
        repeat(once, lambda: time.sleep(every))
    once()


def repeat(once: Callable[[], None], pause: Callable[[], None]) -> NoReturn:
    """Synchronize again and again; who does not answer is asked again after the pause."""
    while True:
        try:
            once()
        except Unavailable as exc:
            terminal.complain("Not synchronized", str(exc))
        pause()
