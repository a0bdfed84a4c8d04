"""All that is computed from images, by any encoder; implements `ports.images.ImageModels`."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.geometry import Box
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.domain.steps import Step
from backend.models.embedding.augmentations import augmented_file
from backend.models.embedding.backbones import Backbone, backbones, named
from backend.models.embedding.encoder_choice import EncoderChoice, Machine, choose
from backend.models.embedding.encoders import compute_device
from backend.models.embedding.feature_extractor import CachingExtractor, open_cached
from backend.models.embedding.joined_extractor import EncoderFeatures, JoinedExtractor
from backend.models.embedding.licences import restriction
from backend.models.embedding.machine import this_machine
from backend.models.embedding.remarks import on_encoder, on_files
from backend.models.images import sizes
from backend.models.images.box_statistics import brightness_and_sharpness
from backend.models.images.decoding import require_decodable
from backend.models.images.previews import write_preview
from backend.ports.images import ImageFiles
from backend.ports.progress import Progress
from backend.settings import Settings

log = logging.getLogger(__name__)


def open_extractor(settings: Settings, files: ImageFiles) -> "EncoderExtractors":
    """Return the extractor that the settings ask for; loads no model yet.

    Raises:
        BadInput: when the settings name no known backbone.
        NoWeights: when the weights file that they name does not exist.
    """
    opened = EncoderExtractors(settings, files, lambda one: open_cached(settings, files, one))
    opened.named(named(settings))
    return opened


class EncoderExtractors:
    """Opens the extractor of each encoder at its first use; safe for several threads."""

    def __init__(
        self,
        settings: Settings,
        files: ImageFiles,
        open_one: Callable[[Backbone], CachingExtractor],
        machine: Callable[[Settings], Machine] = this_machine,
    ) -> None:
        self._settings = settings
        self._files = files
        self._open_one = open_one
        self._machine = cache(lambda: machine(settings))
        self._choose = cache(self._chosen)
        self._opened: dict[str, CachingExtractor] = {}
        self._opening = threading.Lock()
        self._asked: Sequence[ImageRef] = ()

    @property
    def backbone(self) -> str:
        """The default encoder, which trains with the `fast` algorithm."""
        return self._choose(False).backbone

    @property
    def device(self) -> str:
        return compute_device(self._settings.device)

    def choose(
        self,
        kinds: Collection[TaskKind],
        algorithm: Algorithm,
        items: ItemKind = ItemKind.IMAGE,  # noqa: ARG002 - of the port; all items here are images
    ) -> str:
        """Return the encoder to train on; only classifiers are trained on its features."""
        if algorithm is Algorithm.FAST or not set(kinds) - {TaskKind.DETECTION}:
            return self.backbone
        return self._choose(True).backbone

    def named(self, backbone: str) -> EncoderFeatures:
        """Return the extractor of an encoder, or of several joined ones.

        Raises:
            BadInput: when no encoder has that name.
            NoWeights: when the weights file that the settings name does not exist.
        """
        parts = [self._one(one) for one in backbones(backbone, self._settings)]
        return parts[0] if len(parts) == 1 else JoinedExtractor(parts)

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return readable images in the order asked for, and the reason for each of the others.

        Raises:
            Stopped: from `progress`; no thread is left behind.
            NoWeights: when something must be embedded and the encoder's weights are missing.
            OutOfSpace: when there is no room for images or features.
        """
        self._asked = max(self._asked, refs, key=len)
        return self.named(backbone or self.backbone).extract(refs, progress)

    def uncached(self, refs: Sequence[ImageRef], backbone: str) -> int:
        return self.named(backbone).uncached(refs)

    def look_ahead(self, refs: Sequence[ImageRef], progress: Progress, backbone: str) -> None:
        self.named(backbone).look_ahead(refs, progress)

    def forget_ahead(self) -> None:
        for one in list(self._opened.values()):
            one.forget_ahead()

    def augments(self, items: ItemKind) -> bool:
        return items is ItemKind.IMAGE

    def save_encoder(self, backbone: str, folder: Path) -> None:
        """Do nothing: encoders of images are published."""

    def load_encoder(self, backbone: str, folder: Path) -> None:
        """Do nothing: encoders of images are opened by their names."""

    def extract_augmented(
        self,
        refs: Sequence[ImageRef],
        augmentation: int,
        progress: Progress,
        backbone: str = "",
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """As `extract`, of augmented copies; the cache keeps them beside the originals.

        Raises:
            Stopped, NoWeights, OutOfSpace: as `extract` does.
        """
        extractor = self.named(backbone or self.backbone)
        return extractor.extract_augmented(refs, augmentation, progress)

    def without_features(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        return sizes.without_features(
            refs, self._files, self._settings.max_image_megapixels, progress
        )

    def fetch(self, ref: ImageRef) -> Path:
        return require_decodable(self._files.path(ref), self._settings.max_image_megapixels)

    def fetch_augmented(self, ref: ImageRef, augmentation: int, folder: Path) -> Path:
        return augmented_file(self.fetch(ref), augmentation, folder / f"{ref.task}.png")

    def box_statistics(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        return brightness_and_sharpness(self.fetch(ref), boxes)

    def write_preview(self, ref: ImageRef, target: Path) -> None:
        write_preview(self.fetch(ref), target)

    def timings(self) -> Mapping[Step, float]:
        """Return the seconds of all encoders together."""
        spent = {Step.FETCH: 0.0, Step.EMBED: 0.0}
        for one in list(self._opened.values()):
            for step, seconds in one.timings().items():
                spent[step] += seconds
        return spent

    def remarks(self, backbone: str) -> Sequence[str]:
        shortfall = self._choose(False).shortfall
        return [
            *([f"{shortfall}. docs/encoders.md says how to provide them"] if shortfall else ()),
            *(on_encoder(backbone, self._settings.upgrade_backbone) if backbone else ()),
            *on_files(self._asked, self.timings()),
        ]

    def notes(self) -> Mapping[str, int]:
        """Return the largest counts: each encoder reads the same images."""
        most = Counter[str]()
        for one in list(self._opened.values()):
            most |= Counter(one.notes())
        return dict(most)

    def _one(self, chosen: Backbone) -> CachingExtractor:
        with self._opening:
            if chosen.name not in self._opened:
                self._opened[chosen.name] = self._open_one(chosen)
                if licence := restriction(chosen.name):
                    log.warning("the weights of %s are under %s", chosen.name, licence)
            return self._opened[chosen.name]

    def _chosen(self, precise: bool) -> EncoderChoice:
        asked = self._settings.backbone
        if self._settings.backbone_weights:  # which belong to one encoder
            asked = named(self._settings)
        choice = choose(asked, self._machine(), precise=precise)
        if choice.shortfall:
            log.warning("%s", choice.shortfall)
        return choice
