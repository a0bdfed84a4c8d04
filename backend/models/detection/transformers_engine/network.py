"""Implements `engine.Network` with Hugging Face `transformers`: initialize, run, save and load."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import pad
from torchvision.ops import batched_nms, box_convert
from transformers import AutoModelForObjectDetection
from transformers.utils import logging

from backend.domain.errors import NoWeights
from backend.domain.ids import Label
from backend.models.detection.engine import Callers, Detections, PixelBatch, require_weights
from backend.models.detection.letterbox import STRIDE
from backend.models.detection.letterboxed_dataset import GRAY, to_tensor
from backend.models.detection.transformers_engine.weights import WEIGHTS

_SIZE = "autolabel_image_size"
"""Key of the network's config."""

_CLASSES = ("class_embed.", "enc_score_head.")
"""Parts of the names of weights that have a row for each class, in class order."""

MOST_BOXES = 300
"""Boxes per image, at most."""

OVERLAP = 0.7
"""IoU from which the weaker of two boxes is dropped. These networks need no suppression once they
are trained, but after a few hundred steps two queries may still find the same object."""

logging.disable_progress_bar()
logging.set_verbosity_error()


@dataclass(frozen=True, slots=True)
class TransformersNetwork:
    """A network on `device`, for images whose longer side is `image_size` pixels."""

    module: Any
    image_size: int
    device: str
    across_labels: bool

    @property
    def callers(self) -> Callers | None:
        return None

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        pixels = stacked(list(to_tensor(batch)), self.module.config).to(self.device)
        self.module.eval()
        with torch.no_grad():  # not inference_mode: the library caches tensors that training uses
            found = self.module(pixel_values=pixels)
        height, width = pixels.shape[-2:]
        corners = box_convert(found.pred_boxes.float(), "cxcywh", "xyxy")
        corners = corners * torch.tensor([width, height, width, height], device=corners.device)
        scores = found.logits.float().sigmoid()
        return [self._best(*one, min_score) for one in zip(corners, scores, strict=True)]

    def save(self, folder: Path) -> None:
        """Write safetensors and config as `transformers` reads them."""
        setattr(self.module.config, _SIZE, self.image_size)
        self.module.save_pretrained(folder)

    def _best(self, corners: Tensor, scores: Tensor, min_score: float) -> Detections:
        """Keep the best boxes of an image: `corners` (q, 4), `scores` (q, classes)."""
        queries, labels = (scores > min_score).nonzero(as_tuple=True)
        boxes, scores = corners[queries], scores[queries, labels]
        groups = torch.zeros_like(labels) if self.across_labels else labels
        kept = batched_nms(boxes, scores, groups, OVERLAP)[:MOST_BOXES]
        arrays = (boxes[kept], labels[kept], scores[kept])
        return Detections(*(cast(Any, array.cpu().numpy()) for array in arrays))


def from_pretrained(
    folder: Path,
    classes: Sequence[Label],
    outside: Mapping[str, Label],
    size: int,
    device: str,
    *,
    across_labels: bool,
) -> TransformersNetwork:
    """Build a network for these classes; all other weights are those in `folder`.

    A class that the pretrained network knows keeps its weights: one with the same name, or with a
    name that `outside` maps to it.

    Raises:
        NoWeights: when the folder cannot be loaded.
    """
    known = _loaded(folder)
    config = copy.deepcopy(known.config)
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: at for at, name in enumerate(classes)}
    config.eval_size = config.anchor_image_size = None  # images have any shape here
    module = cast(Any, AutoModelForObjectDetection).from_config(config, dtype=torch.float32)
    names = [outside.get(name, Label(name)) for _, name in sorted(known.config.id2label.items())]
    module.load_state_dict(adapted(module.state_dict(), known.state_dict(), classes, names))
    return TransformersNetwork(module.to(device), size, device, across_labels)


def adapted(
    own: Mapping[str, Tensor],
    pretrained: Mapping[str, Tensor],
    classes: Sequence[Label],
    names: Sequence[Label],
) -> Mapping[str, Tensor]:
    """Take pretrained weights for all but the rows of classes that have none.

    Args:
        own: freshly initialized weights.
        pretrained: weights of the same network for other classes.
        classes: of `own`.
        names: of the classes of `pretrained`.
    """
    pairs = [(at, names.index(name)) for at, name in enumerate(classes) if name in names]
    state: dict[str, Tensor] = {}
    for key, value in own.items():
        if any(part in key for part in _CLASSES):
            rows, old = value.clone(), pretrained[key]
            for at, known in pairs:
                rows[at] = old[known]
            rows[len(classes) :] = old[len(names) :]  # denoising queries have one for padding
            state[key] = rows
        else:
            state[key] = pretrained[key]
    return state


def load(
    folder: Path, device: str, *, across_labels: bool, image_size: int | None = None
) -> TransformersNetwork:
    """Load what `TransformersNetwork.save` wrote; safetensors files hold no code.

    `image_size`: run at this size instead of the one that it was trained at.
    """
    module = _loaded(require_weights(folder / WEIGHTS).parent)
    size = image_size or int(getattr(module.config, _SIZE))
    return TransformersNetwork(module.to(device), size, device, across_labels)


def stacked(images: Sequence[Tensor], config: Any) -> Tensor:
    """Stack images (3, height, width), padded on the right and at the bottom.

    All get the size of the largest, and more if that has fewer cells than the network has queries,
    since it starts each query in another cell.
    """
    height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
    while _cells(height, width, config.feat_strides) < config.num_queries:
        height, width = (height + STRIDE, width) if height <= width else (height, width + STRIDE)
    return torch.stack(
        [
            pad(image, (0, width - image.shape[2], 0, height - image.shape[1]), value=GRAY)
            for image in images
        ]
    )


def _cells(height: int, width: int, strides: Sequence[int]) -> int:
    return sum(-(-height // stride) * -(-width // stride) for stride in strides)


def _loaded(folder: Path) -> Any:
    """Load a network from its folder, in single precision; code beside it is not run."""
    hint = "Fetch its files again"
    try:
        module, about = cast(Any, AutoModelForObjectDetection).from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, LookupError, SafetensorError) as exc:
        raise NoWeights(f"{folder} holds no network: {exc}", hint) from exc
    parameters = dict(module.named_parameters())
    if missing := sorted(name for name in about["missing_keys"] if name in parameters):
        raise NoWeights(f"{folder / WEIGHTS} lacks {', '.join(missing[:3])}", hint)
    return module
