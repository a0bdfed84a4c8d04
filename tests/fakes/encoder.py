"""An encoder without a network, and the real feature extractor around it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from backend.domain.answers import ImageRef
from backend.domain.arrays import Pixels
from backend.domain.ids import TaskId
from backend.models.embedding.backbones import Backbone
from backend.models.embedding.encoder import Vectors
from backend.models.embedding.encoder_choice import FIRST, Machine
from backend.models.embedding.extractors import EncoderExtractors
from backend.models.embedding.feature_cache import FeatureCache
from backend.models.embedding.feature_extractor import CachingExtractor
from backend.settings import Settings
from tests.fakes.image_files import FakeImageFiles


class MeanColour:
    """An encoder whose vector is the direction of the mean colour; counts what it embedded."""

    side, width, batch = 32, 3, 4

    def __init__(self) -> None:
        self.batches: list[int] = []  # threads lose nothing by `append`, as they may by `+=`

    @property
    def seen(self) -> int:
        return sum(self.batches)

    def embed(self, images: Pixels) -> Vectors:
        self.batches.append(len(images))
        mean = images.mean(axis=(1, 2)) + 1e-6
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float16)


def extractor_of(
    tmp_path: Path,
    files: FakeImageFiles,
    encoder: MeanColour,
    others: Mapping[str, MeanColour] | None = None,
) -> EncoderExtractors:
    """A feature extractor with its caches in `tmp_path`; `others` are further encoders, by name."""
    settings = Settings(data_dir=tmp_path, threads=2, device="cpu", max_image_megapixels=1)
    encoders = {FIRST: encoder, **(others or {})}

    def open_one(chosen: Backbone) -> CachingExtractor:
        cache = FeatureCache(tmp_path / f"{chosen.name}.sqlite")
        extractor = CachingExtractor(settings, files, chosen, cache)
        extractor.encoder = lambda: encoders[chosen.name]
        return extractor

    machine = Machine("cpu", 0, has_weights=encoders.__contains__)
    return EncoderExtractors(settings, files, open_one, lambda _: machine)


def painted(folder: Path, number: int) -> ImageRef:
    """An image file of its own colour and height; its task is `number`."""
    path = folder / f"{number}.png"
    Image.new("RGB", (20, 10 + number), (number, 255 - number, 7)).save(path)
    return ImageRef(TaskId(number), str(path))
