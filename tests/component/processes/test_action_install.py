import sys

import pytest

from backend.domain.errors import BadInput, Unavailable
from backend.processes import action_install


@pytest.fixture
def environment(tmp_path):
    """A folder that looks like an environment with Label Studio in it."""
    actions = tmp_path / "site" / "label_studio" / "data_manager" / "actions"
    actions.mkdir(parents=True)
    (actions.parents[1] / "__init__.py").touch()
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/site exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "bin" / "label-studio").touch()
    return tmp_path


@pytest.fixture
def target(environment):
    return (
        environment / "site" / "label_studio" / "data_manager" / "actions" / "autolabel_action.py"
    )


@pytest.mark.parametrize("named", [".", "bin/python", "bin/label-studio"])
def test_an_environment_is_found_by_folder_python_or_command(environment, target, named):
    assert str(target) in action_install.install(environment / named)
    assert action_install.is_current(environment / named)


def test_a_link_to_the_command_leads_into_its_environment(environment, target, tmp_path):
    link = tmp_path / "elsewhere"
    link.symlink_to(environment / "bin" / "label-studio")
    action_install.install(link)
    assert target.exists()


def test_the_file_bears_our_version_and_compiles(environment, target):
    action_install.install(environment)
    first, *_ = target.read_text().splitlines()
    assert first.startswith("# label-studio-autolabel ")
    compile(target.read_text(), target, "exec")


def test_installing_twice_says_so_and_an_old_file_is_replaced(environment, target):
    action_install.install(environment)
    assert "already" in action_install.install(environment)
    target.write_text("# an old one\n")
    assert not action_install.is_current(environment)
    assert "now" in action_install.install(environment)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_removing_is_safe_to_repeat(environment, target):
    action_install.install(environment)
    assert "Removed" in action_install.remove(environment)
    assert "There was no" in action_install.remove(environment)
    assert not action_install.is_current(environment)


def test_a_place_without_label_studio_is_named(tmp_path):
    with pytest.raises(Unavailable, match="no environment of Label Studio at"):
        action_install.install(tmp_path / "nowhere")
    with pytest.raises(Unavailable, match="has no Label Studio"):
        action_install.install(__import__("pathlib").Path(sys.executable))


def test_a_folder_that_cannot_be_written_is_named(environment, target):
    target.mkdir()
    with pytest.raises(BadInput, match="cannot be written"):
        action_install.remove(environment)
