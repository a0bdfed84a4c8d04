"""Temporary folders, where the product uses scratch folders of the data folder."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def temporary() -> Generator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)
