"""`autolabel demo` from its first line to its last, on a few images of one's own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backend.processes.label_studio_server import free_port
from tests.e2e.digits import write_images
from tests.e2e.label_studio import NO_SYNC, binary, new_data_dir
from tests.exported_backbone import shared

ON_A_READY_DATABASE = """#!/bin/sh
cp -R {template}/. "$LABEL_STUDIO_BASE_DATA_DIR"
PYTHONPATH={site} exec {label_studio} "$@"
"""


@pytest.fixture
def label_studio(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """A `label-studio` that need not set up its database."""
    template = new_data_dir(tmp_path, pytestconfig.cache.mkdir("label-studio"))
    command = tmp_path / "label-studio.sh"
    site = NO_SYNC["PYTHONPATH"]
    script = ON_A_READY_DATABASE.format(template=template, site=site, label_studio=binary())
    command.write_text(script)
    command.chmod(0o755)
    return command


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three sub-folders of twelve images each, named by what they show."""
    folder = tmp_path / "pictures"
    for label in "017":
        write_images(folder / label, per_class=12, labels=label)
    return folder


def demo(home: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", "demo", *map(str, arguments)],
        env={**kept, "HOME": str(home), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_a_demo_of_ones_own_images_ends_with_how_right_it_was(
    tmp_path: Path, label_studio: Path, images: Path
) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()

    with shared(data):
        done = demo(
            home,
            *("--no-keep", "--per-class", 5, "--images", images, "--label-studio", label_studio),
            AUTOLABEL_DATA_DIR=str(data),
            AUTOLABEL_PORT=str(free_port()),
            AUTOLABEL_DEVICE="cpu",
            AUTOLABEL_BASIC_AUTH_USER="ann",
            AUTOLABEL_BASIC_AUTH_PASSWORD="open: sesame",
        )

    log = data / "demo" / "autolabel.log"
    assert done.returncode == 0, done.stdout + done.stderr + log.read_text()
    for words in (
        r"Uploading 36 images",
        r"Annotating 15 of 36 images",
        r"backend created, webhook created",
        r"Compared with the held-back labels: (1\d|2[01]) of 21 images need no edit \(\d+\.\d%\)",
        r"Open +http://127\.0\.0\.1:\d+/projects/\d+/data",
        r"user +demo@localhost\.local",
    ):
        assert re.search(words, done.stdout), (words, done.stdout)
    assert "Ctrl-C" not in done.stdout
    (report,) = data.rglob("report.json")
    assert json.loads(report.read_text())["made_from_predictions"] == 0
    assert not list(home.iterdir()), "all that it writes lies below the data folder"
