"""`imported.json`: what a model from elsewhere is, in the folder of its control."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from backend.domain.ids import Label

FILE = "imported.json"


@dataclass(frozen=True, slots=True)
class PixelScaling:
    """How a classifier's pixels are prepared: RGB in [0, 1], less `mean`, by `std`.

    The shorter side is scaled to `side / crop`, then a square of `side` pixels is cut out of the
    middle. The defaults are those of ImageNet classifiers.
    """

    side: int = 224
    crop: float = 0.875
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class ImportedCard:
    """A model file, its classes in order, and the label that each stands for.

    Attributes:
        format: `ultralytics`, `onnx` or `torch`.
        file: its name in the folder.
        source: the file or name that was imported.
        is_detector: whether it finds boxes.
        names: its classes, in the order of its outputs.
        labels: the labels of the classes that have one.
        image_size: the longer side of a detector's images.
        architecture: of a `torch` file, such as `timm:resnet18`.
        scaling: of a classifier's pixels; None where the library does it.
        thresholds: scores from which a class counts, by its name; those of our own exports.
    """

    format: str
    file: str
    source: str
    is_detector: bool
    names: tuple[str, ...]
    labels: Mapping[str, Label] = field(default_factory=dict["str", "Label"])
    image_size: int = 640
    architecture: str = ""
    scaling: PixelScaling | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict["str", "float"])

    @property
    def known(self) -> tuple[Label, ...]:
        """The labels that some class stands for, each once."""
        return tuple(dict.fromkeys(self.labels[name] for name in self.names if name in self.labels))


_CARD = TypeAdapter(ImportedCard)


def write(card: ImportedCard, folder: Path) -> None:
    (folder / FILE).write_bytes(_CARD.dump_json(card, indent=1))


def read(folder: Path) -> ImportedCard:
    return _CARD.validate_json((folder / FILE).read_bytes())
