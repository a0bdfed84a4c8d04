"""Three rounds in a folder: with room, on a full disk, with room again; prints what happened.

Run in a mount namespace of its own: `python -m tests.integration.full_disk FOLDER`.
"""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from backend.domain.errors import OutOfSpace
from backend.label_studio.images import open_image_files
from backend.settings import Settings
from backend.stores.ledgers import LedgerFiles
from backend.stores.predictions import PredictionStore
from backend.stores.sqlite_files import transaction
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.world import PROJECT, World


def fill(filler: Path) -> None:
    """A file that takes all the room there is."""
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def open_images(folder: Path) -> str:
    """Open the cache of images; returns why that failed."""
    try:
        open_image_files(
            Settings(data_dir=folder), LabelStudioClient("http://127.0.0.1:1", "token")
        )
    except OutOfSpace as exc:
        return str(exc)
    return ""


def read(database: Path) -> str:
    """Read a database with a write-ahead log; returns why that failed."""
    try:
        with transaction(database, "CREATE TABLE IF NOT EXISTS labels (name)") as opened:
            opened.execute("SELECT name FROM labels").fetchall()
    except OutOfSpace as exc:
        return str(exc)
    return ""


def seen(world: World, folder: Path) -> dict[str, object]:
    """What people and the next job find."""
    current = world.versions.current(PROJECT)
    return {
        "current": current and current.name,
        "versions": [card.name for card in world.versions.all(PROJECT)],
        "shown": world.label_studio.model_version,
        "predicted": sorted({version for _, version in world.label_studio.predictions}),
        "folders": sorted(path.name for path in folder.glob("projects/*/versions/*al-*")),
    }


def main(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    world = World(folder, ledgers=LedgerFiles(folder), stored=PredictionStore(folder))
    first = world.run()["version"]
    before = seen(world, folder)
    database = [read(folder / "labels.sqlite3")]
    fill(folder / "filler")
    try:
        world.run()
        error = ""
    except OutOfSpace as exc:
        error = str(exc)
    after = seen(world, folder)
    database.append(read(folder / "labels.sqlite3"))
    images = open_images(folder)
    (folder / "filler").unlink()
    second = world.run()["version"]
    rounds = {"rounds": [first, second], "database": database, "images": images}
    print(json.dumps({"error": error, "before": before, "after": after, **rounds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
