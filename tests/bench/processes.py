"""What the kernel knows of processes: children, memory, processor time."""

import os
from pathlib import Path


def children(parent: int) -> list[int]:
    try:
        return [
            int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        ]
    except OSError:
        return []


def family(ancestor: int) -> list[int]:
    return [ancestor, *(one for child in children(ancestor) for one in family(child))]


def running(words: str) -> int:
    """The outermost of our descendants whose command has these words.

    The work horses of a worker have its command, too, and soon end.
    """
    return next(pid for pid in family(os.getpid()) if words in command_of(pid))


def command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def megabytes(process: int, field: str) -> float:
    """`VmRSS` is what it holds now, `VmHWM` the most that it ever held."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(found[0]) / 1000 if found else 0.0


def cpu_seconds(process: int) -> float:
    """Processor time of a process and of those children that it has collected."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
