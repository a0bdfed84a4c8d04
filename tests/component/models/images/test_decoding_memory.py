"""The memory that images take while they are decoded, measured in a process of its own."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

SIDE = 6000
"""36 megapixels, which are 144 MB in RGBA; four of them fit into the budget."""

DECODE = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from backend.domain.errors import UnreadableImage
from backend.models.images.thumbnails import decode
from backend.models.images.upright import reading

def thumbnail(path):
    decode(path, 224, 80)

def refused(path):
    try:
        decode(path, 224, 30)
    except UnreadableImage:
        return
    raise AssertionError("36 megapixels are over the limit of 30")

def upright(path):
    with reading(path):
        pass

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

before = peak()
with ThreadPoolExecutor(8) as pool:
    list(pool.map(globals()[sys.argv[1]], [Path(sys.argv[2])] * int(sys.argv[3])))
print(peak() - before)
"""


def transparent_png(path: Path) -> Path:
    """A valid file of a few kilobytes, all zeros in RGBA."""
    packer = zlib.compressobj(9)
    row = bytes(4 * SIDE + 1)
    packed = b"".join(packer.compress(row) for _ in range(SIDE)) + packer.flush()
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + kind + data)
            file.write(struct.pack(">I", zlib.crc32(kind + data)))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transparent_png(tmp_path_factory.mktemp("images") / "a.png")


def peak_megabytes(how: str, path: Path, count: int) -> int:
    command = [sys.executable, "-c", DECODE, how, str(path), str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(
    ("how", "count", "most"), [("thumbnail", 1, 220), ("thumbnail", 8, 800), ("upright", 1, 400)]
)
def test_large_images_take_little_more_memory_than_their_pixels(
    path: Path, how: str, count: int, most: int
):
    assert peak_megabytes(how, path, count) < most


def test_an_image_over_the_limit_is_refused_before_its_pixels_take_memory(path: Path):
    assert peak_megabytes("refused", path, 1) < 20
