"""The wheel carries all that the program needs, and runs where nothing else of ours is.

A fresh environment holds only the wheel; its dependencies are those of the environment of the
tests, so that the test needs no package index.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend", "connectors")
PARTS = (*PACKAGES, "pyproject.toml", "README.md", "LICENSE")
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: a folder that was built in before may hold what is gone since."""
    source = tmp_path_factory.mktemp("source")
    for name in PARTS:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    built = [UV, "build", "--wheel", "--offline", "--no-build-isolation", "--python"]
    subprocess.run(
        [*built, sys.executable, "--out-dir", source / "dist", source],
        check=True,
        capture_output=True,
    )
    (found,) = (source / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """The Python of an environment with the wheel."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder)
    python = folder / "bin" / "python"
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel],
        check=True,
    )
    # files named *.pth are not read in a folder that is itself named in one, so that the checkout,
    # which is installed there as editable, stays out
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def run(python: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [python, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    )


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - packed == set()
    assert {name.split("/")[0] for name in packed if ".dist-info" not in name} == set(PACKAGES)


def test_the_command_and_the_web_process_come_from_the_wheel(python, tmp_path):
    code = "import backend.web.app, json; print(json.dumps(backend.web.app.__file__))"
    place = json.loads(run(python, "-c", code, cwd=tmp_path).stdout)
    assert Path(place).is_relative_to(python.parents[1])
    said = subprocess.run(
        [python.with_name("autolabel"), "--help"], capture_output=True, text=True, check=True
    )
    assert "connect" in said.stdout


def test_every_dependency_of_the_wheel_is_one_that_the_tests_ran_with(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        lines = archive.read(name).decode().splitlines()
    needed = [Requirement(one.split(":", 1)[1]) for one in lines if one.startswith("Requires-Dist")]
    assert needed
    wrong = []
    for one in needed:
        if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in ("", "sdk")):
            continue
        try:
            if not one.specifier.contains(version(one.name), prereleases=True):
                wrong.append(f"{one} and not {version(one.name)}")
        except PackageNotFoundError:
            wrong.append(f"{one} is missing")
    assert wrong == []
