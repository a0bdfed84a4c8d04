import signal
from pathlib import Path

import pytest

from backend.demo.processes import demo_settings, held
from backend.settings import Settings


def test_the_demo_uses_the_weights_that_the_user_has(tmp_path: Path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "yolo11n.pt").write_text("a checkpoint")
    ours = demo_settings(Settings(data_dir=tmp_path), tmp_path / "demo", "http://x", "token")
    assert (ours.data_dir / "weights" / "yolo11n.pt").read_text() == "a checkpoint"
    assert ours.data_dir.is_relative_to(tmp_path / "demo")


@pytest.fixture
def hangups():
    """Signals that were delivered."""
    came = list[int]()
    before = signal.signal(signal.SIGHUP, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGHUP, before)


def test_a_signal_while_a_process_is_being_started_comes_once_that_is_noted(hangups: list[int]):
    with held((signal.SIGHUP,)):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert hangups == []
    assert hangups == [signal.SIGHUP]
    signal.raise_signal(signal.SIGHUP)
    assert len(hangups) == 2


def test_a_start_that_fails_says_so_and_leaves_signals_as_they_were(hangups: list[int]):
    with pytest.raises(OSError, match="no such command"), held((signal.SIGHUP,)):
        raise OSError("no such command")
    signal.raise_signal(signal.SIGHUP)
    assert hangups == [signal.SIGHUP]
