"""Processes of the demo: a separate Label Studio and a backend, on free ports."""

import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from backend.presentation import terminal
from backend.processes.label_studio_server import LabelStudioProcess, free_port
from backend.processes.supervisor import Supervisor
from backend.settings import Settings

USERNAME = "demo@localhost.local"
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held(numbers: Sequence[signal.Signals]) -> Generator[None]:
    """Deliver these signals after the block: a process that is just being started would be lost."""
    came = list[int]()
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in numbers}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    for number in came[:1]:
        signal.raise_signal(number)


@contextmanager
def label_studio(binary: Path, folder: Path) -> Generator[LabelStudioProcess]:
    port = _port(8080, "Label Studio")
    studio = LabelStudioProcess(binary, folder / "label-studio", port, username=USERNAME)
    with terminal.waiting("Starting Label Studio (the first start takes up to a minute)"):
        try:
            with held(ENDING_SIGNALS):
                studio.start()
            studio.wait()
        except BaseException:
            studio.stop()
            raise
    try:
        yield studio
    finally:
        studio.stop()


def demo_settings(settings: Settings, folder: Path, url: str, token: str) -> Settings:
    """Derive the settings of the demo's backend; it shares downloaded weights with the user's."""
    port = _port(settings.port, "the backend")
    ours = folder / "autolabel"
    _link(settings.data_dir / "weights", ours / "weights")
    changes = {
        "label_studio_url": url,
        "label_studio_api_key": SecretStr(token),
        "data_dir": ours,
        "redis_url": "",
        "host": "127.0.0.1",
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
    }
    return settings.model_copy(update=changes)


def _link(weights: Path, place: Path) -> None:
    """Keep downloaded weights in the user's data folder, which outlives the demo."""
    weights.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True)
    place.symlink_to(weights.absolute(), target_is_directory=True)


@contextmanager
def backend(settings: Settings, log: Path) -> Generator[Supervisor]:
    with log.open("a", encoding="utf-8", buffering=1) as lines:
        supervisor = Supervisor(settings, echo=lambda line: print(line, file=lines))
        try:
            supervisor.start()
            yield supervisor
        finally:
            supervisor.stop()


def _port(wanted: int, whose: str) -> int:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", wanted)) != 0:
            return wanted
    port = free_port()
    terminal.say(f"Port {wanted} is in use; {whose} uses {port} instead.")
    return port
