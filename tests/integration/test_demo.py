"""The demo's processes: what it starts ends with it, and one at a time uses its folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from backend.demo import trial
from backend.domain.errors import Unavailable
from backend.domain.schema import TaskKind
from backend.settings import Settings
from tests.integration.polling import eventually, lives


def test_a_second_demo_leaves_the_first_one_alone(tmp_path: Path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "label-studio.sqlite3").write_text("of the first")
    plan = trial.Plan(None, TaskKind.SINGLE, 10, keep=False, label_studio=tmp_path / "label-studio")
    with (
        FileLock(tmp_path / "demo.lock"),
        pytest.raises(Unavailable, match="another `autolabel demo` is running"),
    ):
        trial.run(Settings(data_dir=tmp_path), plan)
    assert (tmp_path / "demo" / "label-studio.sqlite3").read_text() == "of the first"


def test_the_demo_names_tabs_that_the_project_has():
    assert trial.tabs_to_confirm(TaskKind.MULTI) == "the tabs 'Confirm: …'"
    assert trial.tabs_to_confirm(TaskKind.DETECTION) == "the tab 'To be confirmed'"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_label_studio_starts_ends_both(tmp_path: Path, number: signal.Signals):
    pytest.importorskip("sklearn")
    pid = tmp_path / "pid"
    studio = tmp_path / "label-studio"
    studio.write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 600\n")
    studio.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "demo", "--label-studio", str(studio)],
        env=os.environ | {"AUTOLABEL_DATA_DIR": str(tmp_path / "data")},
        start_new_session=True,
    )
    try:
        started = int(eventually(lambda: pid.exists() and pid.read_text().strip()))
        process.send_signal(number)
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
    eventually(lambda: not lives(started))
