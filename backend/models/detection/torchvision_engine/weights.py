"""The pretrained weights of torchvision's detectors, and where to look for them.

Imports no torch, so that the web process can check whether they are there.
"""

from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import NoWeights
from backend.models.published_weights import is_reachable, torch_folder

HOST = "download.pytorch.org"
_HINT = (
    "Set AUTOLABEL_DETECTOR to torchvision:NAME@/path/to/weights.pth,"
    " or put the file into the folder weights of AUTOLABEL_DATA_DIR"
)


@dataclass(frozen=True, slots=True)
class Published:
    """Files at `HOST`: a detector trained on COCO, and a backbone trained on ImageNet.

    SSD splits its backbone differently from the classifier, so it has no ImageNet weights here.
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
class PretrainedWeights:
    """Weights for the network `name`: those in `file` if the user gave one, else published ones.

    `weights`: folder of downloaded weights.
    """

    name: str
    file: Path | None
    weights: Path

    @classmethod
    def of(cls, setting: str, weights: Path) -> "PretrainedWeights":
        """Parse `NAME` or `NAME@PATH`."""
        name, _, path = setting.partition("@")
        return cls(name, Path(path).expanduser() if path else None, weights)

    def check(self) -> None:
        """Raise NoWeights if there are no weights here and none can be downloaded."""
        if self.file:
            if not self.file.is_file():
                raise NoWeights(f"there is no file {self.file} with weights for {self.name}", _HINT)
        elif self.name not in PUBLISHED:
            raise NoWeights(f"torchvision has no detector {self.name}", known())
        elif not self.coco() and not self.imagenet() and not is_reachable(HOST):
            raise NoWeights(f"the weights of {self.name} are not on this machine", _HINT)

    def coco(self) -> Path | None:
        """Find the detector trained on COCO on this machine."""
        return self._cached(PUBLISHED[self.name].coco)

    def imagenet(self) -> Path | None:
        """Find the backbone trained on ImageNet on this machine."""
        return self._cached(PUBLISHED[self.name].imagenet)

    def url(self) -> str:
        return f"https://{HOST}/models/{PUBLISHED[self.name].coco}"

    def _cached(self, name: str) -> Path | None:
        places = (self.weights / name, torch_folder() / name)
        return next((path for path in places if path.is_file()), None)


def known() -> str:
    return f"It has {', '.join(sorted(PUBLISHED))}"
