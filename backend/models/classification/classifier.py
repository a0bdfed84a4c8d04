"""Labels of a whole image, one or several, from a linear head on frozen features.

Prediction needs NumPy only, so that the web process can answer without torch.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Answer
from backend.domain.arrays import Floats, Targets
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.errors import BadInput
from backend.domain.ids import Label
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.domain.steps import Step
from backend.domain.targets import multi_hot
from backend.models.classification import evaluation, semi_supervised
from backend.models.classification import out_of_fold as left_out
from backend.models.classification.cross_validation import Taught, teach
from backend.models.classification.decision_rule import rule
from backend.models.classification.finetune_config import ENCODER_FILE, Tuning
from backend.models.classification.head import Head, read, write
from backend.models.embedding.backbones import backbone
from backend.models.embedding.encoders import check
from backend.models.folds import stratified
from backend.models.links import SIGMOID, SOFTMAX, Link
from backend.ports.images import Fetch
from backend.ports.model_family import TrainingSet
from backend.ports.progress import Progress
from backend.settings import Settings

ENOUGH_HELD_OUT = 20
"""Held-out images below which out-of-fold predictions say more about the model."""

FOLDS = 5
"""Into which the images are dealt that a fine-tuned backbone was not trained on."""

BATCH = 8192
"""Images between two reports of progress while predicting."""


class Encoder(Protocol):
    """What a fine-tuned backbone does; implemented in `tuned_encoder`."""

    def embed(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> Floats: ...

    def save(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class FittedClassifier:
    """A model of one control.

    `out_of_fold` says what frozen heads that did not see them answer to the images of
    `TrainingSet.train`, row by row; None on a model that was loaded. `encoder` is there where the
    backbone was fine-tuned, and then looks at the images in place of their features.
    """

    control: Control
    head: Head
    metrics: Mapping[str, float]
    notes: Mapping[str, Any]
    out_of_fold: PredictionBatch | None = None
    encoder: Encoder | None = None

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        """Answers to all pictures: from their features, or with an own encoder from their files."""
        logits: list[Floats] = [np.empty((0, len(self.head.labels)), dtype=np.float32)]
        features = images.features
        if self.encoder is not None:
            features = self.encoder.embed(images, fetch, progress)
        for start in range(0, len(images), BATCH):
            progress(Step.PREDICT, start, len(images))
            logits.append(self.head.linear.logits(features[start : start + BATCH]))
        return self.head.answer(self.control, np.concatenate(logits))

    def save(self, folder: Path) -> None:
        """Write `head.safetensors`, `head.json` and, if tuned, `encoder.safetensors`."""
        write(self.head, {"metrics": self.metrics, "notes": self.notes}, folder)
        if self.encoder is not None:
            self.encoder.save(folder)


@dataclass(frozen=True, slots=True)
class Classifier:
    """The model family of classification, single- and multi-label.

    Without `tuning` the `precise` algorithm leaves the backbone as it is. `check_backbone` raises
    NoWeights where there is nothing to look at images through.
    """

    tuning: Tuning | None = None
    check_backbone: Callable[[], None] = lambda: None

    @property
    def kinds(self) -> frozenset[TaskKind]:
        return frozenset({TaskKind.SINGLE, TaskKind.MULTI})

    def check(self) -> None:
        """A head starts from nothing, but it needs features."""
        self.check_backbone()

    def fit(self, training_set: TrainingSet) -> FittedClassifier:
        """Learn the labels that people used in `training_set.train`; the others get probability 0.

        Raises:
            BadInput: when no training image has a label.
            Stopped: through `training_set.progress`.
        """
        began = time.monotonic()
        targets, rows = _readable(training_set.control, training_set.train_answers)
        used = np.flatnonzero(targets[rows].sum(axis=0))
        if not len(used):
            raise BadInput(
                f"nobody used a label of '{training_set.control.name}'", "Label some images"
            )
        features, known = training_set.train.features[rows], targets[np.ix_(rows, used)]
        taught = teach(
            features, known, _link(training_set.control), training_set.seed, training_set.progress
        )
        tried: Sequence[Mapping[str, Any]] = []
        if training_set.algorithm is Algorithm.PRECISE:
            taught, tried = semi_supervised.improve(
                taught,
                features,
                known,
                training_set.unlabeled.features,
                training_set.seed,
                training_set.progress,
            )
        head = _head(
            tuple(training_set.control.labels[int(column)] for column in used), taught, known
        )
        notes = {
            "learned_labels": list(head.labels),
            "backbone": self.tuning.backbone.slug if self.tuning else "",
            "c": taught.c,
            "log_loss_by_c": {
                str(c): round(loss, 4) for c, loss in taught.tried.items() if np.isfinite(loss)
            },
            "folds": int(taught.folds.max()) + 1,
            "tried": list(tried),
            "seconds": round(time.monotonic() - began, 3),
        }
        model = _measured(training_set, head, taught, rows, notes)
        if self.tuning is None or training_set.algorithm is not Algorithm.PRECISE:
            return model
        return _tuned(training_set, model, taught, known, rows, self.tuning)

    def load(self, folder: Path, control: Control) -> FittedClassifier:
        """Labels that the control no longer has are left out of its answers.

        Raises:
            BadInput: when none is left, or when the images are seen through another backbone now.
        """
        head, about = read(folder)
        self._require_backbone(about["notes"].get("backbone"))
        known = head.within(control)
        if not known.labels:
            raise BadInput(f"the model knows no label of '{control.name}'", "Train a new one")
        model = FittedClassifier(control, known, about["metrics"], about["notes"])
        if self.tuning is None or not (folder / ENCODER_FILE).is_file():
            return model
        from backend.models.classification.finetuned_encoder import FinetunedEncoder  # noqa: PLC0415 - imports torch

        return replace(model, encoder=FinetunedEncoder.load(folder, self.tuning))

    def _require_backbone(self, learned_on: str | None) -> None:
        """Features of another backbone, or of other weights, mean nothing to a head."""
        now = self.tuning.backbone.slug if self.tuning else ""
        if learned_on and now and learned_on != now:
            what = f"this version learned from features of {learned_on}, not of {now}"
            raise BadInput(what, "Set AUTOLABEL_BACKBONE as it was, or train again")


def classifier_family(settings: Settings, device: str) -> Classifier:
    """The family that the settings ask for; `device` is what torch may compute on."""
    chosen = backbone(settings)
    return Classifier(
        Tuning(chosen, device, settings.max_image_megapixels),
        partial(check, chosen, settings.data_dir),
    )


def _readable(control: Control, answers: Sequence[Answer]) -> tuple[Targets, NDArray[np.intp]]:
    """Flags of all answers, and the rows to learn from: with one label of many, exactly one."""
    targets = multi_hot(answers, control.labels)
    one = (
        targets.sum(axis=1) == 1
        if control.kind is TaskKind.SINGLE
        else np.ones(len(targets), np.bool_)
    )
    return targets, np.flatnonzero(one)


def _link(control: Control) -> Link:
    return SOFTMAX if control.kind is TaskKind.SINGLE else SIGMOID


def _head(labels: tuple[Label, ...], taught: Taught, targets: Targets) -> Head:
    logits = taught.calibration(taught.out_of_fold[taught.judged])
    fitted = rule(taught.link, taught.link.probabilities(logits), targets[taught.judged])
    return Head(labels, taught.head, taught.calibration, fitted)


def _measured(
    training_set: TrainingSet,
    head: Head,
    taught: Taught,
    rows: NDArray[np.intp],
    notes: Mapping[str, Any],
) -> FittedClassifier:
    """The model on frozen features, with its figures."""
    folds = np.where(taught.judged, taught.folds, left_out.NO_FOLD)
    out_of_fold = _left_out(training_set, head, taught.out_of_fold, folds, rows)
    model = FittedClassifier(training_set.control, head, {}, notes, out_of_fold)
    return _with_figures(model, training_set, out_of_fold, rows[taught.judged])


def _tuned(
    training_set: TrainingSet,
    model: FittedClassifier,
    taught: Taught,
    targets: Targets,
    rows: NDArray[np.intp],
    tuning: Tuning,
) -> FittedClassifier:
    """The model with a fine-tuned backbone if that is better, else as it was; says so."""
    from backend.models.classification.finetune import tune  # noqa: PLC0415 - imports torch

    tuned, entry = tune(training_set, model.head, taught, targets, rows, tuning)
    earlier: Sequence[Mapping[str, Any]] = model.notes["tried"]
    if tuned is None:
        return replace(model, notes={**model.notes, "tried": [*earlier, entry]})
    tried = [*({**other, "kept": False} for other in earlier), entry]
    better = replace(
        model, head=tuned.head, encoder=tuned.encoder, notes={**model.notes, "tried": tried}
    )
    truth = multi_hot(training_set.train_answers, tuned.head.labels)[tuned.rows]
    folds = stratified(truth, FOLDS, training_set.seed)
    said = _left_out(training_set, tuned.head, tuned.logits, folds, tuned.rows)
    return _with_figures(better, training_set, said, tuned.rows)


def _left_out(
    training_set: TrainingSet,
    head: Head,
    logits: Floats,
    folds: NDArray[np.intp],
    rows: NDArray[np.intp],
) -> PredictionBatch:
    """Answers to all of `training_set.train`, given logits and folds of the `rows` with any."""
    targets = multi_hot(training_set.train_answers, head.labels)
    everything = np.zeros(targets.shape, dtype=np.float32)
    dealt = np.full(len(targets), left_out.NO_FOLD, dtype=np.intp)
    everything[rows], dealt[rows] = logits, folds
    return left_out.answers(training_set.control, head, everything, targets, dealt)


def _with_figures(
    model: FittedClassifier,
    training_set: TrainingSet,
    said_left_out: PredictionBatch,
    judged: NDArray[np.intp],
) -> FittedClassifier:
    """Figures on held-out images where they suffice, else on training images left out of folds.

    Args:
        model: to judge.
        lesson: with the held-out images.
        said_left_out: answers to `training_set.train`; the rows `judged` were not trained on.
        judged: where there are none, any held-out image is better than nothing.
    """
    control = model.control
    truth, rows = _readable(control, training_set.held_out_answers)
    if len(rows) >= ENOUGH_HELD_OUT or (len(rows) and not len(judged)):
        source, said = (
            "held-out",
            model.predict(training_set.held_out, training_set.fetch, training_set.progress),
        )
    else:
        source, said = "out-of-fold", said_left_out
        truth, rows = multi_hot(training_set.train_answers, control.labels), judged
    figures, tables = _figures(control, said, truth, rows)
    return replace(model, metrics=figures, notes={**model.notes, "metrics_from": source, **tables})


def _figures(
    control: Control, said: PredictionBatch, truth: Targets, rows: NDArray[np.intp]
) -> tuple[Mapping[str, float], Mapping[str, Any]]:
    if not len(rows):
        return {}, {}
    answers, link = multi_hot(said.answers, control.labels)[rows], _link(control)
    confidence, probabilities = said.confidence[rows], said.probabilities[rows]
    return (
        evaluation.scores(link, probabilities, answers, confidence, truth[rows]),
        evaluation.tables(link, answers, confidence, truth[rows], control.labels),
    )
