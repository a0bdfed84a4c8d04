"""A head only ever sees features of the encoder that it was trained on."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain.errors import BadInput, UnreadableImage
from backend.domain.ids import TaskId
from backend.models.classification.feature_source import FeatureSource
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.steps import quiet
from tests.fakes.training_sets import clusters, image_batch


def images(backbone: str):
    return replace(image_batch(clusters([0, 1, 0])), backbone=backbone)


def test_features_of_its_own_encoder_are_used_as_they_are():
    extractor = FakeFeatureExtractor()
    source = FeatureSource("lite", lambda: extractor)
    for backbone in ("lite", ""):
        batch = images(backbone)
        assert source.features(batch, quiet) is batch.features
    assert extractor.extracted == []


def test_images_of_another_encoder_are_embedded_by_its_own():
    extractor = FakeFeatureExtractor()
    batch = images("dino")

    features = FeatureSource("lite", lambda: extractor).features(batch, quiet)

    assert extractor.extracted == ["lite"]
    assert np.array_equal(features, extractor.extract(batch.refs, quiet)[0].features)


def test_augmented_copies_of_another_encoder_are_embedded_as_such_copies():
    extractor = FakeFeatureExtractor()
    batch = replace(images("dino"), augmentation=20)

    FeatureSource("lite", lambda: extractor).features(batch, quiet)

    assert extractor.augmented == [(20, batch.tasks)]
    assert extractor.extracted == ["lite"]


def test_an_image_that_is_gone_is_named():
    batch = images("dino")
    extractor = FakeFeatureExtractor(bad={TaskId(batch.tasks[1]): "404"})

    with pytest.raises(UnreadableImage, match="404"):
        FeatureSource("lite", lambda: extractor).features(batch, quiet)


def test_without_an_extractor_features_of_another_encoder_are_refused():
    with pytest.raises(BadInput, match="features of dino, not of lite"):
        FeatureSource("lite").features(images("dino"), quiet)
