"""Whether a network of the Hugging Face hub can be had is known before a job starts."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.domain.errors import NoWeights
from backend.models.detection.transformers_engine.weights import (
    CONFIG,
    WEIGHTS,
    PretrainedFolder,
)

NAME = "ustc-community/dfine-nano-coco"
CHECK = """
import pathlib, sys
from backend.models.detection.transformers_engine.detector import TransformersEngine
TransformersEngine(sys.argv[1], pathlib.Path(sys.argv[1])).check()
print(*{"torch", "transformers", "huggingface_hub"} & sys.modules.keys())
"""


@pytest.fixture(autouse=True)
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A proxy for all hosts that accepts connections once it is called; the cache is empty."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging"))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield listener.listen


def write(folder: Path, kind: str = "d_fine") -> Path:
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(json.dumps({"model_type": kind}))
    (folder / WEIGHTS).touch()
    return folder


def pretrained(setting: str, tmp_path: Path) -> PretrainedFolder:
    return PretrainedFolder(setting, tmp_path / "weights")


def test_without_weights_or_network_the_hint_names_the_setting(tmp_path: Path):
    with pytest.raises(NoWeights, match=f"{NAME}.*AUTOLABEL_DETECTOR to transformers:/path"):
        pretrained(NAME, tmp_path).folder()


def test_a_name_may_be_downloaded_over_a_proxy_unless_the_user_forbids_it(
    tmp_path: Path, proxy: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    proxy()
    pretrained(NAME, tmp_path).check()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NoWeights, match="cannot be downloaded"):
        pretrained(NAME, tmp_path).check()


def test_a_path_is_never_asked_of_the_hub(tmp_path: Path, proxy: Callable[[], None]):
    proxy()
    for setting in (str(tmp_path / "none"), "./none", "none", "~/none"):
        with pytest.raises(NoWeights, match="not on this machine"):
            pretrained(setting, tmp_path).check()


@pytest.mark.parametrize(
    "place",
    ["weights/" + NAME, "hugging/hub/models--ustc-community--dfine-nano-coco/snapshots/1a2b"],
)
def test_a_folder_of_ones_own_and_the_hubs_cache_need_no_network(tmp_path: Path, place: str):
    folder = write(tmp_path / place)
    pretrained(NAME, tmp_path).check()
    assert pretrained(NAME, tmp_path).folder() == folder
    (folder / WEIGHTS).unlink()
    with pytest.raises(NoWeights):
        pretrained(NAME, tmp_path).check()


@pytest.mark.parametrize("config", ['{"model_type": "bert"}', "{}", "[]", "no json"])
def test_a_folder_with_another_kind_of_network_is_refused(tmp_path: Path, config: str):
    folder = write(tmp_path / "other")
    (folder / CONFIG).write_text(config)
    with pytest.raises(NoWeights, match=r"other"):
        pretrained(str(folder), tmp_path).check()


def test_without_the_package_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(NoWeights, match=r"label-studio-autolabel\[transformers\]"):
        pretrained(str(write(tmp_path / "own")), tmp_path).check()


def test_asking_whether_weights_are_there_loads_no_library(tmp_path: Path):
    command = [sys.executable, "-c", CHECK, str(write(tmp_path / "own"))]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert found.stdout.strip() == ""
