"""Which part of the files that the process has mapped is in memory, as the kernel tells."""

from pathlib import Path
from typing import NamedTuple


class Mapped(NamedTuple):
    """Bytes of files, and how many of them are in memory."""

    size: int
    resident: int


def mapped(folder: Path) -> Mapped:
    """Add up the files of a folder that this process has mapped, those without a name, too."""
    size = resident = 0
    is_wanted = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            is_wanted = str(folder) in line
        elif is_wanted and name == "Size:":
            size += int(values[0])
        elif is_wanted and name == "Rss:":
            resident += int(values[0])
    return Mapped(1024 * size, 1024 * resident)
