"""A small disk that can be filled: a tmpfs in a mount namespace that a process of its own holds."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

MEGABYTES = 400
READY = b"ready\n"


class SmallDisk:
    """A folder with little room, for commands that begin with `command`.

    They see it as `folder`, everybody else as `outside`. It is an ordinary folder where the kernel
    allows no mount: then `is_there` is False.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = self.outside = folder
        self.command: tuple[str, ...] = ()
        self._holder = _mount(folder)
        self.is_there = self._holder is not None
        if self._holder:
            namespaces = ("--user", "--mount", "--preserve-credentials")
            self.command = ("nsenter", "--target", str(self._holder.pid), *namespaces)
            # reached through /proc, but not by SQLite, which follows that link to the wrong root
            self.outside = Path(f"/proc/{self._holder.pid}/root") / folder.relative_to("/")

    @property
    def _filler(self) -> Path:
        return self.outside / "filler"

    def fill(self) -> None:
        """Take all the room there is."""
        descriptor = os.open(self._filler, os.O_CREAT | os.O_WRONLY)
        try:
            free = os.statvfs(self.outside)
            with suppress(OSError):
                os.posix_fallocate(descriptor, 0, max(1, free.f_bavail * free.f_frsize))
            os.lseek(descriptor, 0, os.SEEK_END)
            with suppress(OSError):
                while os.write(descriptor, bytes(4096)):
                    pass
        finally:
            os.close(descriptor)

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        if self._holder:
            self._holder.kill()
            self._holder.communicate()


def _mount(folder: Path) -> subprocess.Popen[bytes] | None:
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        return None
    script = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs "$1" && echo ready && exec sleep infinity'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder]
    pipes = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, **pipes)
    assert holder.stdout
    if holder.stdout.readline() == READY:
        return holder
    holder.communicate()
    return None
