"""Ultralytics as a guest in our process: it changes nothing that is not its own."""

import subprocess
import sys

BROKEN_IMAGE = """
from pathlib import Path
from backend.domain.errors import UnreadableImage
from backend.models.images import thumbnails
from backend.models.detection.ultralytics_engine import setup
setup.import_configured(Path({home!r}))
broken = Path({home!r}) / "broken.jpg"
broken.write_bytes(b"this is no image")
try:
    thumbnails.decode(broken, 224, 80)
except UnreadableImage as exc:
    print("unreadable:", exc)
"""


def test_a_broken_image_is_still_called_broken_after_ultralytics_was_loaded(tmp_path):
    script = BROKEN_IMAGE.format(home=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("unreadable: "), done.stderr
