"""Where weights are looked for."""

import tempfile
from pathlib import Path

import pytest

from backend.models.published_weights import hub_folder, torch_folder


def test_a_user_without_a_home_folder_keeps_weights_among_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
):
    """As a container that runs under a random user id."""
    for name in ("TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody-of-this-name/cache")
    temporary = Path(tempfile.gettempdir())
    assert torch_folder() == temporary / "cache/torch/hub/checkpoints"
    assert hub_folder() == temporary / "cache/huggingface/hub"
