"""Keys of kept work: equal keys mean that the work would come out the same."""

import hashlib
from collections.abc import Mapping, Sequence

from backend.domain.answers import ImageRef
from backend.domain.jobs import Algorithm
from backend.domain.versions import ModelVersion
from backend.services.labeling_round import LabelingRound
from backend.services.training.dataset import Dataset
from backend.settings import Settings


def training_key(round_: LabelingRound, settings: Settings, packages: Mapping[str, str]) -> str:
    """Return the key of a training: config, labels, encoder, settings, version to start from.

    The unlabeled images count only for an algorithm that learns from them.
    """
    request, dataset = round_.request, round_.dataset
    refs = dataset.unlabeled.refs if request.algorithm is Algorithm.PRECISE else ()
    return _digest(
        "training",
        _config(round_),
        _labels(dataset),
        _images(refs),
        request.algorithm,
        dataset.labeled.backbone,
        round_.current.name if round_.current else "",
        (settings.seed, settings.max_train_minutes, settings.detector, settings.upgrade_backbone),
        sorted(packages.items()),
    )


def predicting_key(round_: LabelingRound, version: ModelVersion) -> str:
    """Return the key of predicting with a version, whose scores labels may calibrate."""
    return _digest("predicting", _config(round_), _labels(round_.dataset), version.name)


def _config(round_: LabelingRound) -> object:
    return round_.schema.images, round_.schema.controls


def _labels(dataset: Dataset) -> object:
    learned = frozenset(dataset.labeled.tasks)
    return [
        (_images((one.image,)), sorted(one.answers.items()), task in learned)
        for task, one in sorted(dataset.annotations.items())
    ]


def _images(refs: Sequence[ImageRef]) -> object:
    return [(ref.task, ref.uri, ref.others) for ref in refs]


def _digest(*parts: object) -> str:
    text = repr(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()
