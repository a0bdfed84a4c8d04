"""Read folders of images with boxes in Pascal VOC or YOLO format.

Pascal VOC: an XML file for each image, corners in pixels. YOLO: a text file for each image,
`label x y width height` with centre and size as fractions, and the labels' names in a YAML file
or `classes.txt`. Files are matched by stem and split: `images/train/7.jpg` and
`labels/train/7.txt`, or `train/images/7.jpg` and `train/labels/7.txt`, or both in one folder.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from xml.etree.ElementTree import Element, ParseError

import yaml
from defusedxml import ElementTree

from backend.domain.answers import Region, Regions
from backend.domain.errors import BadInput
from backend.domain.geometry import Corners, clipped, is_cut
from backend.domain.ids import Label

_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_KINDS = frozenset({"images", "labels", "annotations", "jpegimages"})
"""Folders that sort files by kind, not by split."""


@dataclass(frozen=True, slots=True)
class BoxDataset:
    """Images with their boxes, sorted by path; an image without boxes is a true negative.

    `repairs` counts boxes that were `clipped` to the image, left out as `degenerate` (no area
    within the image), or left out as a `duplicate` of another.
    """

    images: tuple[tuple[Path, Regions], ...]
    labels: tuple[Label, ...]
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])


def read(folder: Path) -> BoxDataset:
    """Read whichever of the two formats the folder contains.

    Images without a box file are left out, since they are not annotated.

    Raises:
        BadInput: when there are no images with boxes, or a file cannot be understood.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    images = {_key(path, folder): path for path in files if path.suffix.lower() in _IMAGES}
    found = {
        suffix: {_key(path, folder): path for path in files if path.suffix.lower() == suffix}
        for suffix in (".xml", ".txt")
    }
    if voc := _pairs(images, found[".xml"]):
        return _collected(voc, _voc_boxes)
    if yolo := _pairs(images, found[".txt"]):
        names = _names(folder)
        return _collected(yolo, lambda path: _yolo_boxes(path, names))
    raise BadInput(
        f"{folder} holds no images with boxes",
        "Give a folder with images and Pascal VOC .xml or YOLO .txt files of the same names",
    )


Rectangle = tuple[Label, Corners]
Key = tuple[str, ...]


def _key(path: Path, folder: Path) -> Key:
    """Return the key that an image and its box file share: split and stem."""
    parts = path.relative_to(folder).with_suffix("").parts
    return (*(part for part in parts[:-1] if part.lower() not in _KINDS), parts[-1])


def _pairs(images: Mapping[Key, Path], files: Mapping[Key, Path]) -> list[tuple[Path, Path]]:
    return [(image, files[key]) for key, image in images.items() if key in files]


def _collected(
    pairs: Sequence[tuple[Path, Path]], boxes: Callable[[Path], Sequence[Rectangle]]
) -> BoxDataset:
    repairs: Counter[str] = Counter()
    read = [(image, _repaired(boxes(path), repairs)) for image, path in pairs]
    labels = {region.label for _, answer in read for region in answer.regions}
    if not labels:
        raise BadInput("none of the files contains a box", "Give a folder with labeled images")
    return BoxDataset(tuple(read), tuple(sorted(labels)), dict(+repairs))


def _repaired(boxes: Sequence[Rectangle], repairs: Counter[str]) -> Regions:
    """Clip and deduplicate boxes; count the repairs."""
    regions: dict[Region, None] = {}
    for label, corners in boxes:
        box = clipped(*corners)
        if box is None:
            repairs["degenerate"] += 1
            continue
        repairs["clipped"] += is_cut(box, corners)
        repairs["duplicate"] += Region(box, label) in regions
        regions[Region(box, label)] = None
    return Regions(tuple(regions))


def _voc_boxes(path: Path) -> list[Rectangle]:
    """Read corners in pixels, counted from 0 as labeling tools do."""
    try:
        root = cast("Element", ElementTree.parse(path).getroot())
        width, height = (_number(root, f"size/{name}") for name in ("width", "height"))
        return [_voc_box(item, width, height) for item in root.iter("object")]
    except (ParseError, ValueError, ZeroDivisionError) as exc:
        raise BadInput(f"{path} is not Pascal VOC: {exc}") from exc


def _voc_box(item: Element, width: float, height: float) -> Rectangle:
    left, top, right, bottom = (
        _number(item, f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")
    )
    label = Label((item.findtext("name") or "").strip())
    return label, (left / width, top / height, right / width, bottom / height)


def _number(element: Element, path: str) -> float:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"<{path}> is missing")
    return float(text)


def _yolo_boxes(path: Path, names: Mapping[int, Label]) -> list[Rectangle]:
    try:
        rows = [line.split() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
        return [_yolo_box(row, names) for row in rows]
    except (ValueError, UnicodeDecodeError) as exc:
        raise BadInput(f"{path} is not YOLO: {exc}") from exc


def _yolo_box(row: Sequence[str], names: Mapping[int, Label]) -> Rectangle:
    if len(row) != 5:
        raise ValueError(f"a line has {len(row)} fields instead of 5")
    number, (x, y, width, height) = int(row[0]), (float(part) for part in row[1:])
    label = names.get(number, Label(f"class {number}"))
    return label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _names(folder: Path) -> Mapping[int, Label]:
    """Read class names by number from the first YAML file with `names`, or from `classes.txt`."""
    for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        content: object = yaml.safe_load(path.read_text("utf-8"))
        names = (
            cast("dict[str, object]", content).get("names") if isinstance(content, dict) else None
        )
        if isinstance(names, dict):
            pairs = cast("dict[object, object]", names).items()
            return {int(str(number)): Label(str(name)) for number, name in pairs}
        if isinstance(names, list):
            return _numbered(cast("list[object]", names))
    for path in sorted(folder.rglob("classes.txt")):
        return _numbered(path.read_text("utf-8").split("\n"))
    return {}


def _numbered(names: Sequence[object]) -> Mapping[int, Label]:
    return {number: Label(str(name).strip()) for number, name in enumerate(names) if str(name)}
