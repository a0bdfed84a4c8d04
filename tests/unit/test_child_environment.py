from pathlib import Path

import pytest

from backend.settings import environment, load


def test_a_child_process_loads_the_settings_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    parent = load(data_dir=tmp_path, port=9191, label_studio_api_key="a token")
    child = environment(parent)
    for name, value in child.items():
        monkeypatch.setenv(name, value)
    assert load() == parent
    assert child["LABEL_STUDIO_API_KEY"] == "a token"


def test_what_was_not_set_is_not_handed_on(tmp_path: Path):
    child = environment(load(data_dir=tmp_path, local_files_root=None))
    assert "AUTOLABEL_LOCAL_FILES_ROOT" not in child
    assert "AUTOLABEL_SEED" not in child
