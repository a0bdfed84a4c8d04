"""A project of blood cells with the boxes that are kept as its truth.

One of the images is a real negative: a slide with nothing on it. Every fourth is stored as a
camera held on its side stores it: turned pixels, and a tag that says so.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.demo import box_datasets
from backend.domain.answers import Regions
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.label_studio_api import upload_annotated

SHARED = Path(__file__).parents[3] / "shared"
IMAGES = SHARED / "data" / "bccd"
WEIGHTS = SHARED / "weights" / "yolo11n.pt"
LABELS = ("RBC", "WBC", "Platelets")
SIZE = (640, 480)
"""Of every image, upright."""

CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="cell" toName="image">{}</RectangleLabels>
</View>"""
SLIDE = (214, 200, 196)
"""The colour of a slide between its cells."""

_ORIENTATION = 274
_TURNED_LEFT = 6


@dataclass(frozen=True)
class CellProject:
    """A project in Label Studio; `truth` maps each task to its boxes, `empty` has none."""

    id: int
    truth: Mapping[int, Regions]
    empty: int
    sideways: frozenset[int]


def new_project(
    client: LabelStudioClient, folder: Path, images: int, annotated: int = 0
) -> CellProject:
    """A project with so many uploaded images, the first of them annotated as a person would."""
    if not (IMAGES.is_dir() and WEIGHTS.is_file()):
        pytest.skip(f"the shared images and weights are not in {SHARED}")
    folder.mkdir(parents=True, exist_ok=True)
    found = list(box_datasets.read(IMAGES).images)
    chosen = random.Random(0).sample(found, images - 1)
    turned = [place % 4 == 3 for place in range(len(chosen))]
    paths = [
        _turned(path, folder) if turn else path
        for (path, _), turn in zip(chosen, turned, strict=True)
    ]
    options = "".join(f'<Label value="{label}"/>' for label in LABELS)
    project = client.projects.create("cells", CONFIG.format(options))["id"]
    truth = [Regions(()), *(regions for _, regions in chosen)]
    results = [drawn(regions) if place < annotated else None for place, regions in enumerate(truth)]
    tasks = upload_annotated(client, project, [_slide(folder), *paths], results)
    sideways = frozenset(task for task, turn in zip(tasks[1:], turned, strict=True) if turn)
    return CellProject(project, dict(zip(tasks, truth, strict=True)), tasks[0], sideways)


def drawn(regions: Regions) -> list[dict[str, Any]]:
    """Boxes as Label Studio's editor submits them: percent of the upright image."""
    width, height = SIZE
    head = {
        "from_name": "cell",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    return [
        {
            **head,
            "value": {
                "x": 100 * region.box.left,
                "y": 100 * region.box.top,
                "width": 100 * (region.box.right - region.box.left),
                "height": 100 * (region.box.bottom - region.box.top),
                "rotation": 0,
                "rectanglelabels": [region.label],
            },
        }
        for region in regions.regions
    ]


def matched_overlaps(predicted: Sequence[Mapping[str, Any]], truth: Regions) -> list[float]:
    """IoU of each true box with the predicted box of its label that covers it best.

    Boxes that share next to nothing (IoU below 0.3) are another object: not matched.
    """
    best = [
        max((_iou(one["value"], box) for one in predicted if _label(one) == box.label), default=0.0)
        for box in truth.regions
    ]
    return [iou for iou in best if iou >= 0.3]


def _label(part: Mapping[str, Any]) -> str:
    (label,) = part["value"]["rectanglelabels"]
    return label


def _iou(value: Mapping[str, float], true: Any) -> float:
    box = true.box
    left, top = value["x"] / 100, value["y"] / 100
    right, bottom = left + value["width"] / 100, top + value["height"] / 100
    wide = min(right, box.right) - max(left, box.left)
    high = min(bottom, box.bottom) - max(top, box.top)
    shared = max(wide, 0.0) * max(high, 0.0)
    own = (right - left) * (bottom - top)
    return shared / (own + (box.right - box.left) * (box.bottom - box.top) - shared)


def _turned(path: Path, folder: Path) -> Path:
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED_LEFT
    with Image.open(path) as image:
        assert image.size == SIZE
        sideways = image.rotate(90, expand=True)
    sideways.save(folder / path.name, exif=exif, quality=95)
    return folder / path.name


def _slide(folder: Path) -> Path:
    path = folder / "slide.png"
    Image.new("RGB", SIZE, SLIDE).save(path)
    return path
