"""The weights that training of a torchvision detector begins from, and where they may lie.

Imports no torch, so that the web process can ask whether they are at hand.
"""

from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import NoWeights
from backend.models.published_weights import answers, torch_folder

HOST = "download.pytorch.org"
_HINT = (
    "Set AUTOLABEL_DETECTOR to torchvision:NAME@/path/to/weights.pth,"
    " or put the file into the folder weights of AUTOLABEL_DATA_DIR"
)


@dataclass(frozen=True, slots=True)
class Published:
    """Files at `HOST`: a detector trained on COCO, and a backbone trained on ImageNet.

    The backbones of SSD are cut differently from the classifiers, so they have none.
    """

    coco: str
    imagenet: str = ""


_RESNET = "resnet50-0676ba61.pth"
_MOBILENET = "mobilenet_v3_large-8738ca79.pth"

PUBLISHED = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": Published(
        "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth", _MOBILENET
    ),
    "fasterrcnn_mobilenet_v3_large_fpn": Published(
        "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth", _MOBILENET
    ),
    "fasterrcnn_resnet50_fpn": Published("fasterrcnn_resnet50_fpn_coco-258fb6c6.pth", _RESNET),
    "fasterrcnn_resnet50_fpn_v2": Published(
        "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth", _RESNET
    ),
    "fcos_resnet50_fpn": Published("fcos_resnet50_fpn_coco-99b0c9b7.pth", _RESNET),
    "retinanet_resnet50_fpn": Published("retinanet_resnet50_fpn_coco-eeacb38b.pth", _RESNET),
    "retinanet_resnet50_fpn_v2": Published("retinanet_resnet50_fpn_v2_coco-5905b1c5.pth", _RESNET),
    "ssd300_vgg16": Published("ssd300_vgg16_coco-b556d3b4.pth"),
    "ssdlite320_mobilenet_v3_large": Published("ssdlite320_mobilenet_v3_large_coco-a79551df.pth"),
}


@dataclass(frozen=True, slots=True)
class Start:
    """The network `name`, and the file that the user gave for it, if any."""

    name: str
    file: Path | None
    weights: Path

    @classmethod
    def of(cls, setting: str, weights: Path) -> "Start":
        """Read `NAME` or `NAME@PATH`; `weights` is our folder of downloaded weights."""
        name, _, path = setting.partition("@")
        return cls(name, Path(path).expanduser() if path else None, weights)

    def check(self) -> None:
        """Raises NoWeights where nothing is at hand and nothing can be fetched."""
        if self.file:
            if not self.file.is_file():
                raise NoWeights(f"{self.file}, the start of {self.name}, is not a file", _HINT)
        elif self.name not in PUBLISHED:
            raise NoWeights(f"torchvision has no detector {self.name}", known())
        elif not self.coco() and not self.imagenet() and not answers(HOST):
            raise NoWeights(f"the weights of {self.name} are not on this machine", _HINT)

    def coco(self) -> Path | None:
        """The detector's weights on this machine."""
        return self._cached(PUBLISHED[self.name].coco)

    def imagenet(self) -> Path | None:
        """The backbone's weights on this machine."""
        return self._cached(PUBLISHED[self.name].imagenet)

    def url(self) -> str:
        return f"https://{HOST}/models/{PUBLISHED[self.name].coco}"

    def _cached(self, name: str) -> Path | None:
        places = (self.weights / name, torch_folder() / name)
        return next((path for path in places if path.is_file()), None)


def known() -> str:
    return f"It has {', '.join(sorted(PUBLISHED))}"
