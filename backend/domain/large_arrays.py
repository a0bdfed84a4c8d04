"""Arrays that lie in a file without a name where they are large, so that they need no memory.

The kernel holds in memory what is in use of such a file, and drops it where memory is short. The
file is gone with the last array in it, and with the process.
"""

import mmap
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 32_000_000
"""Bytes up to which an array lies in memory: 12,500 vectors of 1,280 float16."""

_AT_ONCE = 512
"""Rows copied at a time: what the kernel reads for them is dropped again before the next ones."""

_AROUND = 65_536
"""Bytes that Linux reads together, at addresses that are multiples of it (`fault_around_bytes`)."""

Values = NDArray[np.floating[Any]]


class _File(mmap.mmap):
    """A file in memory: the address of its first byte, and the folder for others beside it."""

    address = 0
    folder = Path()


def zeros(rows: int, width: int, dtype: type[np.floating[Any]], folder: Path | None) -> Values:
    """Return (rows, width) zeros; large ones lie in a file in this folder if it has room.

    Without a folder they lie in memory.
    """
    size = rows * width * np.dtype(dtype).itemsize
    if folder is not None and size > IN_MEMORY and hasattr(os, "posix_fallocate"):  # not on macOS
        with suppress(OSError):
            return np.ndarray((rows, width), dtype, buffer=_file(folder, size))
    return np.zeros((rows, width), dtype)


def zeros_beside(values: Values, rows: int, width: int) -> Values:
    """Return (rows, width) zeros of the same type; they may lie in a file if the values do."""
    file = _file_of(values)
    return zeros(rows, width, values.dtype.type, file.folder if file else None)


def take(values: Values, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Values:
    """Return a copy (k, d) of these rows; a large part of what lies in a file does so, too."""
    if _file_of(values) is None:
        return values[rows]
    rows = np.asarray(rows, np.intp)
    taken = zeros_beside(values, len(rows), values.shape[1])
    order = np.argsort(rows, kind="stable")  # the kernel reads far more than a row at a time
    for start in range(0, len(rows), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        taken[some] = values[rows[some]]
        release(values)
        release(taken)
    return taken


def release(values: Values) -> None:
    """Tell the kernel that these values are not needed for now, if they lie in a file.

    They keep their place and content, and are read again when they are used again.
    """
    file = _file_of(values)
    if file is not None and values.size:
        start = values.ctypes.data
        end = start + len(values) * values.strides[0]
        begin = max(0, start // _AROUND * _AROUND - file.address)
        after = min(len(file), -(-end // _AROUND) * _AROUND - file.address)
        file.madvise(mmap.MADV_DONTNEED, begin, after - begin)


def _file(folder: Path, size: int) -> _File:
    """Create a file of zeros. Raises OSError when there is no room."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as opened:
        # on a disk that is full the first value that is stored would end the process
        os.posix_fallocate(opened.fileno(), 0, size)
        file = _File(opened.fileno(), size)
    file.address = np.frombuffer(file, np.uint8).ctypes.data
    file.folder = folder
    return file


def _file_of(values: Values) -> _File | None:
    """Return the file in which an array lies; None if it lies in memory."""
    owner: object = values
    while isinstance(owner, np.ndarray):
        owner = cast(Any, owner).base
    return owner if isinstance(owner, _File) else None
