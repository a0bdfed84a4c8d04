"""Commands that need processes or sockets, but no Label Studio."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.commands import app
from backend.processes.label_studio_server import free_port

IMPORTED = """
import sys, typer.testing
from backend.cli.commands import app
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import a_project
from tests.fakes.label_studio import FakeProjects
backend = FakeBackend(label_studio=FakeProjects({2: a_project()}))
done = typer.testing.CliRunner().invoke(app, ["status", "2"], obj=backend)
assert done.exit_code == 0, done.output
print(*{"flask", "waitress", "torch", "onnxruntime", "matplotlib"} & sys.modules.keys())
"""


def test_a_command_loads_no_web_framework_and_no_model_runtime():
    found = subprocess.run(
        [sys.executable, "-c", IMPORTED], stdout=subprocess.PIPE, text=True, check=True
    )
    assert found.stdout.strip() == ""


def test_the_package_can_be_run_as_a_module():
    command = [sys.executable, "-m", "backend.cli", "jobs", "--help"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert "List jobs" in done.stdout


def test_a_label_studio_that_is_not_there_fails_with_its_address(tmp_path: Path):
    place = f"127.0.0.1:{free_port()}"
    env = {"LABEL_STUDIO_URL": f"http://{place}", "AUTOLABEL_DATA_DIR": str(tmp_path)}
    done = CliRunner(env=env).invoke(app, ["status", "1"])
    assert done.exit_code == 1
    assert f"{place} cannot be reached" in " ".join(done.stderr.split())


@pytest.mark.parametrize(("command", "words"), [("serve", "127.0.0.1:{}"), ("up", "port {}")])
def test_a_port_in_use_is_named(tmp_path: Path, command: str, words: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = {"AUTOLABEL_PORT": str(port), "AUTOLABEL_DATA_DIR": str(tmp_path)}
        done = CliRunner(env=env).invoke(app, [command])
    assert done.exit_code != 0
    assert words.format(port) in done.stderr
