"""Read and write the formats in which labels lie beside images.

| file | labels |
|---|---|
| `cat1.txt`, one label a line | of the whole image |
| `cat1.txt`, five numbers a line, with `classes.txt` | rectangles, as YOLO writes them |
| `cat1.xml` | rectangles, as Pascal VOC writes them |

A file with anything in it that has no place in the labeling config answers nothing at all.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from backend.domain.answers import Answer, Choices, Region, Regions
from backend.domain.geometry import Box, clipped
from backend.domain.ids import ControlName, Label
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.domain.side_cars import SideCar

IMAGES = (
    "avif", "bmp", "gif", "heic", "heif", "jp2", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff",
    "webp",
)  # fmt: skip
"""Endings of image files, in lower case."""

CLASSES = "classes.txt"
"""The file that names YOLO's classes, one a line, in the image's folder or in one above it."""

_ROUNDING = 1e-4
"""Fraction of the image by which a rectangle may move when it is written and read again."""

_YOLO_LINE = re.compile(r"\d{1,9}(\s+[-+.\deE]+){4}", re.ASCII)


def read_labels(text: str, schema: LabelSchema) -> SideCar:
    """Read a file with one label a line. An empty one answers nothing."""
    chosen: dict[ControlName, list[Label]] = {}
    for line in _lines(text):
        asking = [
            one for one in schema.controls if not one.is_drawn and (label_of(one, line) is not None)
        ]
        if len(asking) != 1:
            known = "several questions have" if asking else "no question has"
            return SideCar(problem=f"{known} the label {line!r}")
        (control,) = asking
        label = label_of(control, line)
        chosen.setdefault(control.name, []).append(Label(label or ""))
    for control in schema.controls:
        if control.kind is TaskKind.SINGLE and len(set(chosen.get(control.name, ()))) > 1:
            return SideCar(problem=f"{len(chosen[control.name])} labels where one is allowed")
    answers = {name: Choices(tuple(dict.fromkeys(labels))) for name, labels in chosen.items()}
    return SideCar(answers)


def is_yolo(text: str) -> bool:
    """Return whether every line is a class number and four fractions; an empty text is not."""
    lines = _lines(text)
    return bool(lines) and all(_YOLO_LINE.fullmatch(line) for line in lines)


def read_yolo(text: str, classes: Sequence[str], schema: LabelSchema) -> SideCar:
    """Read lines of class number, center x, center y, width and height, in fractions."""
    regions: list[Region] = []
    control = drawn(schema)
    for line in _lines(text):
        number, *numbers = line.split()
        if int(number) >= len(classes):
            return SideCar(problem=f"class {number} is not in {CLASSES}")
        try:
            x, y, width, height = map(float, numbers)
        except ValueError:
            return SideCar(problem=f"{line!r} is no rectangle")
        box = clipped(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        found = _region(control, box, classes[int(number)])
        if isinstance(found, str):
            return SideCar(problem=found)
        regions.append(found)
    return SideCar({control.name: Regions(tuple(regions))} if control else {})


def read_voc(text: str, schema: LabelSchema) -> SideCar:
    """Read a Pascal VOC file: pixels, counted from 1 (Everingham et al., 2010)."""
    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException, ValueError):
        return SideCar(problem="no XML that can be read")
    width, height = _number(root, "size/width"), _number(root, "size/height")
    if not (width and height and width > 0 and height > 0):
        return SideCar(problem="it does not tell the size of the image")
    regions: list[Region] = []
    control = drawn(schema)
    for one in root.iter("object"):
        corners = [_number(one, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")]
        left, top, right, bottom = (float("nan") if at is None else at for at in corners)
        box = clipped((left - 1) / width, (top - 1) / height, right / width, bottom / height)
        found = _region(control, box, (one.findtext("name") or "").strip())
        if isinstance(found, str):
            return SideCar(problem=found)
        regions.append(found)
    answers = {control.name: Regions(tuple(regions))} if control else {}
    return SideCar(answers, (round(width), round(height)))


def write_labels(answers: Mapping[ControlName, Answer]) -> str:
    """Write the labels of the whole image, one a line."""
    return "".join(f"{label}\n" for one in answers.values() for label in one.labels)


def write_yolo(regions: Iterable[Region], classes: Sequence[str]) -> str:
    """Write rectangles as `read_yolo` reads them.

    Raises:
        ValueError: when a label is not among the classes.
    """
    return "".join(
        f"{classes.index(one.label)} {(one.box.left + one.box.right) / 2:.6f}"
        f" {(one.box.top + one.box.bottom) / 2:.6f} {one.box.width:.6f} {one.box.height:.6f}\n"
        for one in regions
    )


def write_voc(regions: Iterable[Region], image: str, size: tuple[int, int]) -> str:
    """Write rectangles as `read_voc` reads them; `image` is the name of the file."""
    root, (width, height) = Element("annotation"), size
    SubElement(root, "filename").text = image
    measures = SubElement(root, "size")
    for name, value in (("width", width), ("height", height), ("depth", 3)):
        SubElement(measures, name).text = str(value)
    for one in regions:
        part = SubElement(root, "object")
        SubElement(part, "name").text = one.label
        corners = SubElement(part, "bndbox")
        for name, value in _pixels(one.box, width, height).items():
            SubElement(corners, name).text = f"{value:.2f}".rstrip("0").rstrip(".")
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def agree(one: Mapping[ControlName, Answer], other: Mapping[ControlName, Answer]) -> bool:
    """Return whether two label files say the same, but for what rounding changes."""
    return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)


def drawn(schema: LabelSchema) -> Control | None:
    """Return the question that rectangles answer; None if there is none or several."""
    found = [control for control in schema.controls if control.is_drawn]
    return found[0] if len(found) == 1 else None


def label_of(control: Control, name: str) -> Label | None:
    """Return the label of a control that a name in a file stands for."""
    if name in control.labels:
        return Label(name)
    return control.outside_names.get(name)


def _alike(one: Answer, other: Answer) -> bool:
    if not (isinstance(one, Regions) and isinstance(other, Regions)):
        return set(one.labels) == set(other.labels)
    return len(one.regions) == len(other.regions) and all(
        a.label == b.label and max(map(_distance, _edges(a), _edges(b))) < _ROUNDING
        for a, b in zip(one.regions, other.regions, strict=True)
    )


def _distance(one: float, other: float) -> float:
    return abs(one - other)


def _edges(region: Region) -> tuple[float, float, float, float]:
    box = region.box
    return box.left, box.top, box.right, box.bottom


def _pixels(box: Box, width: int, height: int) -> dict[str, float]:
    return {
        "xmin": box.left * width + 1,
        "ymin": box.top * height + 1,
        "xmax": box.right * width,
        "ymax": box.bottom * height,
    }


def _region(control: Control | None, box: Box | None, name: str) -> Region | str:
    """Return the rectangle, or why it has no place."""
    if control is None:
        return "the labeling config has no rectangles, or several questions with rectangles"
    label = label_of(control, name)
    if label is None:
        return f"no question has the label {name!r}"
    return Region(box, label) if box else f"a rectangle of {name!r} has no area inside the image"


def _lines(text: str) -> list[str]:
    return [line for part in text.removeprefix("\ufeff").splitlines() if (line := part.strip())]


def _number(parent: Element, path: str) -> float | None:
    """Return a number; None where there is none, or where it is not finite."""
    try:
        number = float(parent.findtext(path) or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
