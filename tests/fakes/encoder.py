"""An encoder without a network, and the real feature extractor around it."""

from pathlib import Path

import numpy as np
from PIL import Image

from backend.domain.answers import ImageRef
from backend.domain.arrays import Pixels
from backend.domain.ids import TaskId
from backend.models.embedding.backbones import Backbone
from backend.models.embedding.encoder import Vectors
from backend.models.embedding.feature_cache import FeatureCache
from backend.models.embedding.feature_extractor import CachingExtractor
from backend.settings import Settings
from tests.fakes.image_files import FakeImageFiles


class MeanColour:
    """An encoder whose vector is the direction of the mean colour; counts what it embedded."""

    side, width, batch = 32, 3, 4

    def __init__(self) -> None:
        self.seen = 0
        self.largest = 0

    def embed(self, images: Pixels) -> Vectors:
        self.seen += len(images)
        self.largest = max(self.largest, len(images))
        mean = images.mean(axis=(1, 2)) + 1e-6
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float16)


def extractor_of(tmp_path: Path, files: FakeImageFiles, encoder: MeanColour) -> CachingExtractor:
    """A feature extractor with its cache in `tmp_path`."""
    settings = Settings(data_dir=tmp_path, threads=2, device="cpu", max_image_megapixels=1)
    cache = FeatureCache(tmp_path / "features.sqlite")
    extractor = CachingExtractor(settings, files, Backbone("colour"), cache)
    extractor.encoder = lambda: encoder
    return extractor


def painted(folder: Path, number: int) -> ImageRef:
    """An image file of its own colour and height; its task is `number`."""
    path = folder / f"{number}.png"
    Image.new("RGB", (20, 10 + number), (number, 255 - number, 7)).save(path)
    return ImageRef(TaskId(number), str(path))
