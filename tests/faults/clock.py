"""A wall clock of our processes that jumps when told to."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("shifted_clock.c")
DAY = 24 * 3600


class ShiftedClock:
    """Seconds that processes started with `environment` add to the time of day.

    `is_there` is False on a machine without a C compiler: then the clock cannot be shifted.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._file, self._library = folder / "shift", folder / "shifted_clock.so"
        self._file.write_bytes(bytes(8))
        compiler = shutil.which("cc")
        if compiler:
            command = [compiler, "-shared", "-fPIC", "-O2", "-o", self._library, SOURCE]
            subprocess.run(command, check=True)
        self.is_there = compiler is not None

    @property
    def environment(self) -> Mapping[str, str]:
        if not self.is_there:
            return {}
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK_FILE": str(self._file)}

    def shift(self, seconds: int) -> None:
        """Jump to this distance from the real time."""
        with self._file.open("r+b", buffering=0) as file:  # never truncated: others have it mapped
            file.write(seconds.to_bytes(8, "little", signed=True))
