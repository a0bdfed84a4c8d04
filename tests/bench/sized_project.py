"""A project of any size: small pictures of digits in a folder that Label Studio serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from connectors.label_studio.calls import batches
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.digits import CONFIG, answer

LABELS = tuple("0123456789")
SIDE = 48
BATCH = 2000


@dataclass(frozen=True)
class SizedProject:
    """`truth` maps each task to what its image shows; the first `labeled` tasks are labeled."""

    id: int
    folder: Path
    truth: dict[int, str]
    labeled: int


def write_images(folder: Path, count: int) -> list[tuple[Path, str]]:
    """Write so many different images, each with what it shows."""
    folder.mkdir(parents=True)
    found = load_digits()
    written = []
    for number in range(count):
        row = number % len(found.target)
        ink = 255 - found.images[row] * 255 / 16
        large = Image.fromarray(ink.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        noise = np.random.default_rng(number).normal(0, 6, (SIDE, SIDE))
        pixels = np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8)
        path = folder / f"{number:06}.png"
        Image.fromarray(pixels).save(path, compress_level=1)
        written.append((path, str(found.target[row])))
    return written


def new_project(
    client: LabelStudioClient,
    root: Path,
    tasks: int,
    labeled: int,
    images: int,
) -> SizedProject:
    """A project of `tasks` tasks, which share `images` images below `root`."""
    options = "".join(f'<Choice value="{label}"/>' for label in LABELS)
    project = client.projects.create(f"{tasks} digits", CONFIG.format(options))["id"]
    folder = root / f"digits-{project}"
    files = write_images(folder, min(images, tasks))
    client.storages.ensure_local(project, str(folder), folder.name)
    contents, shown = list[dict[str, object]](), list[str]()
    for number in range(tasks):
        path, label = files[number % len(files)]
        data = {"image": f"/data/local-files/?d={folder.name}/{path.name}"}
        marks = [{"result": answer(label)}] if number < labeled else []
        contents.append({"data": data, "annotations": marks, "predictions": []})
        shown.append(label)
    ids = _imported(client, project, contents)
    return SizedProject(project, folder, dict(zip(ids, shown, strict=True)), labeled)


def _imported(
    client: LabelStudioClient, project: int, contents: Sequence[dict[str, object]]
) -> list[int]:
    return [
        task for batch in batches(contents, BATCH) for task in client.task_import(project, batch)
    ]
