"""A Label Studio as people install it, to measure: without the shortcuts of the tests' one."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from backend.processes.label_studio_server import LabelStudioProcess
from tests.e2e import postgresql
from tests.e2e.label_studio import REPOSITORY, new_data_dir, running


@contextmanager
def installed(
    folder: Path, database: str = "sqlite", **environment: str
) -> Iterator[LabelStudioProcess]:
    """Run a new one for as long as the block lasts.

    Only its database is set up with those shortcuts, which leave the same one behind.
    """
    is_sqlite = database == "sqlite"
    with nullcontext(dict[str, str]()) if is_sqlite else postgresql.running(safe=True) as variables:
        if is_sqlite:
            templates = REPOSITORY / ".pytest_cache" / "d" / "label-studio"
            templates.mkdir(parents=True, exist_ok=True)
            data = new_data_dir(folder, templates)
        else:
            data = folder / "label-studio"
            with running(data, **variables):
                pass
        with running(data, as_installed=True, **variables, **environment) as studio:
            yield studio
