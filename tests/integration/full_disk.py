"""Three rounds in a folder: with room, on a full disk, with room again; prints what happened.

Run in a mount namespace of its own: `python -m tests.integration.full_disk FOLDER`.
"""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from backend.domain.errors import OutOfSpace
from backend.stores.ledgers import LedgerFiles
from backend.stores.predictions import PredictionStore
from tests.fakes.world import PROJECT, World


def fill(filler: Path) -> None:
    """A file that takes all the room there is."""
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


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
    fill(folder / "filler")
    try:
        world.run()
        error = ""
    except OutOfSpace as exc:
        error = str(exc)
    after = seen(world, folder)
    (folder / "filler").unlink()
    second = world.run()["version"]
    print(json.dumps({"error": error, "before": before, "after": after, "rounds": [first, second]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
