"""Small projects of real images: scikit-learn's handwritten digits, of which we know the truth."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from connectors.label_studio.client import LabelStudioClient
from tests.e2e.label_studio_api import upload_annotated

LABELS = ("0", "1", "2", "3")
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Choices name="digit" toName="image">{}</Choices>
</View>"""


@dataclass(frozen=True)
class DigitProject:
    """A project in Label Studio; `truth` maps each task to what its image shows."""

    id: int
    truth: Mapping[int, str]

    def some(self, counts: Mapping[str, int]) -> list[int]:
        """So many tasks of each label, drawn at random."""
        tasks = list(self.truth)
        random.Random(0).shuffle(tasks)
        taken: Counter[str] = Counter()
        chosen = []
        for task in tasks:
            label = self.truth[task]
            if taken[label] < counts.get(label, 0):
                taken[label] += 1
                chosen.append(task)
        return chosen


def new_project(
    client: LabelStudioClient,
    folder: Path,
    per_class: int,
    labels: Sequence[str] = LABELS,
    labeled: Mapping[str, int] | None = None,
    wrong: int = 0,
) -> DigitProject:
    """A project with `per_class` uploaded images of each label.

    Those come annotated that `some(labeled)` draws, the first of them wrongly; Label Studio tells
    no webhook of them.
    """
    options = "".join(f'<Choice value="{label}"/>' for label in labels)
    project = client.projects.create("digits", CONFIG.format(options))["id"]
    images = write_images(folder, per_class, labels)
    paths, truth = [path for path, _ in images], [label for _, label in images]
    if labeled:
        chosen = DigitProject(project, dict(enumerate(truth))).some(labeled)
        said = {place: truth[place] for place in chosen}
        said |= {place: labels[labels.index(truth[place]) - 1] for place in chosen[:wrong]}
        results = [answer(said[place]) if place in said else None for place in range(len(truth))]
        tasks = upload_annotated(client, project, paths, results)
    else:
        tasks = client.tasks.upload_images(project, paths)
    return DigitProject(project, dict(zip(tasks, truth, strict=True)))


def annotate(client: LabelStudioClient, project: DigitProject, tasks: Iterable[int]) -> None:
    """Label these tasks rightly, one by one, as people do."""
    for task in tasks:
        client.annotations.create(task, answer(project.truth[task]))


def answer(label: str) -> list[dict[str, Any]]:
    head = {"from_name": "digit", "to_name": "image", "type": "choices"}
    return [{**head, "value": {"choices": [label]}}]


def write_images(folder: Path, per_class: int, labels: Sequence[str]) -> list[tuple[Path, str]]:
    """So many images of each label, with what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    found = load_digits()
    written = []
    for label in labels:
        for row in np.flatnonzero(found.target == int(label))[:per_class]:
            path = folder / f"{row:04}.png"
            ink = Image.fromarray((255 - found.images[row] * 255 / 16).astype(np.uint8))
            ink.resize((48, 48), Image.Resampling.BICUBIC).save(path)
            written.append((path, label))
    return written
