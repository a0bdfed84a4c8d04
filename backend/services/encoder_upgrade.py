"""Train on a stronger encoder once it has embedded the project, and keep the better model."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from backend.domain.answers import ImageRef
from backend.domain.batches import ImageBatch
from backend.domain.errors import BadInput, NoWeights
from backend.domain.items import ItemKind
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress
from backend.services.labeling_round import LabelingRound
from backend.services.training.dataset import Dataset
from backend.services.training.train import TrainedModels

MOST_MISSING = 0.02
"""Share of the images that may still be embedded during the training."""

FEW = 32
"""Images that may still be embedded in any case: this takes seconds."""

Train = Callable[[Dataset], TrainedModels]


@dataclass(frozen=True, slots=True)
class EncoderUpgrade:
    """Compares `backbone` with the encoder of a round; without a name it does nothing.

    It embeds `items`; rounds of others are left as they are.
    """

    extractor: FeatureExtractor
    backbone: str = ""
    items: ItemKind = ItemKind.IMAGE

    def better(
        self, round_: LabelingRound, trained: TrainedModels, train: Train, progress: Progress
    ) -> tuple[LabelingRound, TrainedModels]:
        """Return the round and its models on the encoder with the lower out-of-fold log loss.

        The round's `remarks` say what was compared, or why it was not. Models without a log loss
        use no features, so there is nothing to compare.
        """
        before = _log_loss(trained) if round_.schema.items is self.items else None
        if not self.backbone or before is None or self.backbone == round_.dataset.labeled.backbone:
            return round_, trained
        try:
            images, obstacle = self._embedded(round_.dataset, progress)
        except (BadInput, NoWeights) as exc:
            images, obstacle = None, f"{self.backbone} cannot be used: {exc.message}"
        if images is None:
            return _remarking(round_, obstacle), trained
        upgraded = _on(images, round_.dataset)
        other = train(upgraded)
        after = _log_loss(other)
        taken = after is not None and after < before
        remark = _compared(round_.dataset.labeled.backbone, before, self.backbone, after)
        if not taken:
            return _remarking(round_, remark), trained
        return _remarking(replace(round_, dataset=upgraded), remark), other

    def on(self, round_: LabelingRound, backbone: str, progress: Progress) -> LabelingRound | None:
        """Return the round as this encoder sees its images; None if not all can be embedded."""
        if backbone == round_.dataset.labeled.backbone:
            return round_
        try:
            images, lost = self.extractor.extract(_refs(round_.dataset), progress, backbone)
        except (BadInput, NoWeights):
            return None
        return None if lost else replace(round_, dataset=_on(images, round_.dataset))

    def _embedded(self, dataset: Dataset, progress: Progress) -> tuple[ImageBatch | None, str]:
        """Return the images as this encoder sees them, or why they cannot be compared yet."""
        refs = _refs(dataset)
        missing = self.extractor.uncached(refs, self.backbone)
        if missing > max(FEW, MOST_MISSING * len(refs)):
            done = len(refs) - missing
            return None, (
                f"{self.backbone} has embedded {done:,} of {len(refs):,} {self.items.plural}; an "
                "idle worker goes on, and the first training after that tries it"
            )
        images, lost = self.extractor.extract(refs, progress, self.backbone)
        if lost:
            gone = f"{len(lost):,} {self.items.plural} went away meanwhile"
            return None, f"{self.backbone} was not tried: {gone}"
        return images, ""


def _refs(dataset: Dataset) -> tuple[ImageRef, ...]:
    return (*dataset.labeled.refs, *dataset.unlabeled.refs)


def _on(images: ImageBatch, dataset: Dataset) -> Dataset:
    """Return the dataset with these features."""
    labeled = len(dataset.labeled)
    return replace(
        dataset,
        labeled=images.take(range(labeled)),
        unlabeled=images.take(range(labeled, len(images))),
    )


def _log_loss(trained: TrainedModels) -> float | None:
    """Return the mean out-of-fold log loss of the controls that have one; None without any."""
    losses = [
        float(model.notes["log_loss"])
        for model in trained.models.values()
        if "log_loss" in model.notes
    ]
    return sum(losses) / len(losses) if losses else None


def _compared(one: str, before: float, other: str, after: float | None) -> str:
    """Say which of two encoders is better on this project's labels."""
    if after is None:
        return f"{other} was not tried: it gave no log loss"
    if after < before:
        verdict = f"{other} is the better encoder for this project and was taken"
    else:
        verdict = f"{other} is no better for this project than {one}, which was kept"
    return f"{verdict}: out-of-fold log loss {after:.3f} against {before:.3f}"


def _remarking(round_: LabelingRound, remark: str) -> LabelingRound:
    return replace(round_, remarks=(*round_.remarks, remark))
